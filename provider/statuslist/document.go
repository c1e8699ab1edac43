package statuslist

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/revocation"
)

const (
	// pageSize is how many entries are read at once. The ledger is asked between
	// pages, when no connection is held: it may need one.
	pageSize = 2000
	// makeTimeout bounds one making, whose askers may have left.
	makeTimeout = 10 * time.Second
	// lifeInTTL is exp - iat, in TTLs: how long a verifier that cannot reach us
	// goes on with what it has.
	lifeInTTL = 4
	// leeway is for how long after its end a token keeps its bit: clocks differ, and
	// verifiers allow for that. The ledger and the store keep what is needed longer.
	leeway = 2 * time.Minute
)

// document is a list as it is served. It never changes.
type document struct {
	body []byte
	etag string
	at   time.Time // before the reads that it was made from
}

// claims is a status list token (section 5.1 of the draft). Times are Unix seconds.
type claims struct {
	Issuer    string     `json:"iss"`
	Subject   string     `json:"sub"`
	IssuedAt  int64      `json:"iat"`
	ExpiresAt int64      `json:"exp"`
	TTL       int64      `json:"ttl"`
	List      statusList `json:"status_list"`
}

type statusList struct {
	Bits        int    `json:"bits"`
	List        string `json:"lst"`
	Aggregation string `json:"aggregation_uri"`
}

// current returns a list that is younger than half a TTL. However many ask at
// once, one makes it. Errors: accounts.ErrNotFound, revocation.ErrStale, others.
func (l *Lists) current(ctx context.Context, number int64) (*document, error) {
	if d := l.young(number); d != nil {
		return d, nil
	}
	making := l.flight.DoChan(name(number), func() (any, error) {
		if d := l.young(number); d != nil {
			return d, nil
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), makeTimeout)
		defer cancel()
		d, err := l.make(ctx, number)
		if err == nil {
			l.keep(number, d)
		}
		return d, err
	})
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case r := <-making:
		if r.Err != nil {
			return nil, r.Err
		}
		return r.Val.(*document), nil
	}
}

// young returns what was made less than half a TTL ago, or nil.
func (l *Lists) young(number int64) *document {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.made[number]
	if d == nil || l.Now().Sub(d.at) >= l.ttl()/2 {
		return nil
	}
	return d
}

// keep remembers a list and forgets those that nobody has asked for lately.
func (l *Lists) keep(number int64, d *document) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.made == nil {
		l.made = map[int64]*document{}
	}
	for n, old := range l.made {
		if d.at.Sub(old.at) > l.ttl() {
			delete(l.made, n)
		}
	}
	l.made[number] = d
}

// make reads the list's living entries, asks the ledger about each, and signs.
func (l *Lists) make(ctx context.Context, number int64) (*document, error) {
	at := l.Now()
	kept, err := l.Store.StatusList(ctx, number)
	if err != nil {
		return nil, fmt.Errorf("find a status list: %w", err)
	}
	point, err := l.Ledger.Point(ctx)
	if err != nil {
		return nil, fmt.Errorf("ask the ledger: %w", err)
	}
	// Everything that was revoked before this moment is known below.
	if point.Confirmed.Before(at) {
		at = point.Confirmed
	}
	list, err := l.read(ctx, kept)
	if err != nil {
		return nil, err
	}
	compressed, err := list.compress()
	if err != nil {
		return nil, err
	}
	set, err := l.Keys.At(ctx, point.Change)
	if err != nil {
		return nil, fmt.Errorf("sign a status list: %w", err)
	}
	body, err := l.sign(set, kept, at, compressed)
	if err != nil {
		return nil, fmt.Errorf("sign a status list: %w", err)
	}
	sum := sha256.Sum256(body)
	return &document{body: body, etag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`, at: at}, nil
}

// read sets the bit of each token that somebody may still take for a living one and
// that the ledger has revoked. A token whose place was given after a page was read
// stays 0 until the next time; it was given after the list's iat.
func (l *Lists) read(ctx context.Context, kept List) (bits, error) {
	list := newBits()
	now := l.Now().Add(-leeway).UnixMilli()
	for from := int64(0); ; {
		entries, err := l.Store.StatusEntries(ctx, kept.Number, from, now, pageSize)
		if err != nil {
			return nil, fmt.Errorf("read a status list: %w", err)
		}
		for _, e := range entries {
			e.Audience = kept.Audience
			q := l.Ledger.Query(e.Keys)
			dead, err := l.Ledger.Revoked(ctx, &q, func() revocation.Keys { return e.Keys })
			if err != nil {
				return nil, fmt.Errorf("ask the ledger: %w", err)
			}
			if dead {
				list.set(e.Index)
			}
		}
		if len(entries) < pageSize {
			return list, nil
		}
		from = entries[len(entries)-1].Index + 1
	}
}

func (l *Lists) sign(set *keys.Set, kept List, at time.Time, compressed []byte) ([]byte, error) {
	key, err := set.Signer(kept.Algorithm)
	if err != nil {
		return nil, err
	}
	payload, err := json.Marshal(claims{
		Issuer: l.Issuer.String(), Subject: l.uri(kept.Number),
		IssuedAt: at.Unix(), ExpiresAt: at.Add(lifeInTTL * l.ttl()).Unix(), TTL: int64(l.ttl() / time.Second),
		List: statusList{Bits: 1, List: base64.RawURLEncoding.EncodeToString(compressed), Aggregation: l.AggregationURL()},
	})
	if err != nil {
		return nil, err
	}
	signed, err := key.Sign(keys.TypeStatusList, payload)
	return []byte(signed), err
}
