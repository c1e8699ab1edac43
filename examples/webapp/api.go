package webapp

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

const maxAnswer = 1 << 20

var (
	// errSignInAgain says that the app has no way left to a token.
	errSignInAgain = errors.New("webapp: the grant has ended")
	errNotAllowed  = errors.New("webapp: the token lacks the permission")
	errGone        = errors.New("webapp: there is no such post")
)

// post is a post as the API tells it.
type post struct {
	ID     int64  `json:"id"`
	Title  string `json:"title"`
	Body   string `json:"body"`
	Author string `json:"author"`
}

// call asks the API on behalf of the session's person. An access token that has
// expired or that the API refuses is refreshed, once.
func (a *app) call(r *http.Request, s *session, method, path string, in, out any) error {
	ctx := a.outgoing(r)
	token, err := a.token(ctx, s, "")
	if err != nil {
		return err
	}
	status, err := a.ask(ctx, token, method, path, in, out)
	if err == nil && status == http.StatusUnauthorized {
		if token, err = a.token(ctx, s, token); err != nil {
			return err
		}
		status, err = a.ask(ctx, token, method, path, in, out)
	}
	switch {
	case err != nil:
		return err
	case status == http.StatusUnauthorized:
		return errSignInAgain
	case status == http.StatusForbidden:
		return errNotAllowed
	case status == http.StatusNotFound:
		return errGone
	case status >= 300:
		return fmt.Errorf("the API answered %d", status)
	}
	return nil
}

// ask sends one request. It returns an error only if there was no answer.
func (a *app) ask(ctx context.Context, token, method, path string, in, out any) (int, error) {
	var body io.Reader
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return 0, fmt.Errorf("encode for the API: %w", err)
		}
		body = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.cfg.API+path, body)
	if err != nil {
		return 0, fmt.Errorf("ask the API: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("ask the API: %w", err)
	}
	defer func() { _ = resp.Body.Close() }() // it was read
	if out == nil || resp.StatusCode >= 300 {
		return resp.StatusCode, nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(out); err != nil {
		return 0, fmt.Errorf("read the API's answer: %w", err)
	}
	return resp.StatusCode, nil
}

// token returns an access token that has not expired and is not the refused one.
// Requests of one session refresh one after the other: a refresh token is good for
// one use.
func (a *app) token(ctx context.Context, s *session, refused string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.token == nil {
		return "", errSignInAgain
	}
	// Ten seconds, for the way to the API.
	expired := !s.token.Expiry.IsZero() && !a.now().Add(10*time.Second).Before(s.token.Expiry)
	if !expired && s.token.AccessToken != refused {
		return s.token.AccessToken, nil
	}
	if s.token.RefreshToken == "" {
		return "", errSignInAgain
	}
	p, err := a.op.get(a.background(ctx))
	if err != nil {
		return "", err
	}
	fresh, err := p.oauth2.TokenSource(ctx, &oauth2.Token{RefreshToken: s.token.RefreshToken}).Token()
	var answer *oauth2.RetrieveError
	switch {
	case errors.As(err, &answer) && answer.ErrorCode == "invalid_grant":
		s.token = nil
		return "", errSignInAgain
	case err != nil:
		return "", fmt.Errorf("refresh: %w", err)
	}
	s.put(fresh, s.scopes)
	return fresh.AccessToken, nil
}
