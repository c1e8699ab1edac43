package main

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/resource"
)

// follower is a resource server with package resource.
type follower struct{ *resource.Verifier }

func (f follower) refuses(ctx context.Context, raw string) (bool, error) {
	_, err := f.Verify(ctx, raw)
	if err == nil || errors.Is(err, resource.ErrRevoked) {
		return err != nil, nil
	}
	return false, err // it has gone stale, or worse: not what is measured
}

// cachedFor is how long an introspector goes by an answer.
const cachedFor = 5 * time.Second

// introspector is a resource server that asks about each token and keeps the
// answers (RFC 7662 §4).
type introspector struct {
	d      *deployment
	client *http.Client
	known  map[string]answerAt
}

type answerAt struct {
	active bool
	at     time.Time
}

func (s *introspector) refuses(ctx context.Context, raw string) (bool, error) {
	if k, ok := s.known[raw]; ok && time.Since(k.at) < cachedFor {
		return !k.active, nil
	}
	at := time.Now() // the answer is no older than the question
	var answer struct {
		Active bool `json:"active"`
	}
	if err := s.d.post(ctx, s.client, "/oauth2/introspect", s.d.api, url.Values{"token": {raw}}, &answer); err != nil {
		return false, err
	}
	s.known[raw] = answerAt{answer.Active, at}
	return !answer.Active, nil
}

// listTTL is the ttl of Gatehouse's status lists; the documents say it themselves.
const listTTL = 30 * time.Second

// lister is a resource server that reads token status lists
// (draft-ietf-oauth-status-list). It does not verify signatures: what that costs
// is not measured here.
type lister struct {
	client *http.Client
	lists  map[string]*heldList
}

type heldList struct {
	bits  []byte
	until time.Time
}

func (s *lister) refuses(ctx context.Context, raw string) (bool, error) {
	var claims struct {
		Status struct {
			List struct {
				Index int    `json:"idx"`
				URI   string `json:"uri"`
			} `json:"status_list"`
		} `json:"status"`
	}
	if err := claimsOf(raw, &claims); err != nil {
		return false, err
	}
	at := claims.Status.List
	held := s.lists[at.URI]
	if held == nil || !time.Now().Before(held.until) {
		var err error
		if held, err = s.fetch(ctx, at.URI, held == nil); err != nil {
			return false, err
		}
		s.lists[at.URI] = held
	}
	if at.Index/8 >= len(held.bits) {
		return false, fmt.Errorf("index %d is not in the list", at.Index)
	}
	return held.bits[at.Index/8]>>(at.Index%8)&1 == 1, nil
}

// fetch gets a list. The first one is kept for a random part of its ttl: servers
// have not all begun at once.
func (s *lister) fetch(ctx context.Context, uri string, first bool) (*heldList, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return nil, err
	}
	answer, err := s.client.Do(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status list: %s", answer.Status)
	}
	var document struct {
		TTL  int64 `json:"ttl"`
		List struct {
			Bits int    `json:"bits"`
			List string `json:"lst"`
		} `json:"status_list"`
	}
	if err := claimsOf(string(body), &document); err != nil {
		return nil, err
	}
	packed, err := base64.RawURLEncoding.DecodeString(document.List.List)
	if err != nil {
		return nil, fmt.Errorf("status list: %w", err)
	}
	unpack, err := zlib.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, fmt.Errorf("status list: %w", err)
	}
	bits, err := io.ReadAll(unpack)
	if err != nil {
		return nil, fmt.Errorf("status list: %w", err)
	}
	ttl := time.Duration(document.TTL) * time.Second
	if ttl != listTTL || document.List.Bits != 1 {
		return nil, fmt.Errorf("a status list with the ttl %s and %d bits", ttl, document.List.Bits)
	}
	if first {
		ttl = rand.N(ttl)
	}
	return &heldList{bits: bits, until: time.Now().Add(ttl)}, nil
}

// claimsOf reads a JWT without verifying it.
func claimsOf(raw string, out any) error {
	parts := strings.Split(raw, ".")
	if len(parts) != 3 {
		return errors.New("not a JWT")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return fmt.Errorf("not a JWT: %w", err)
	}
	return json.Unmarshal(payload, out)
}
