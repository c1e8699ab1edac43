package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/provider/keys"
)

const tagKeys = "keys"

// Key is a signing key, never its private half.
type Key struct {
	KID         string     `json:"kid"`
	Algorithm   string     `json:"algorithm"`
	State       string     `json:"state" enum:"next,active,retiring,gone"`
	CreatedAt   *time.Time `json:"created_at,omitempty"`
	PublishedAt *time.Time `json:"published_at,omitempty"`
	ActivatedAt *time.Time `json:"activated_at,omitempty" doc:"Since when it signs."`
	RetiredAt   *time.Time `json:"retired_at,omitempty" doc:"Since when it only verifies."`
	GoneAt      *time.Time `json:"gone_at,omitempty"`
	AgeSeconds  int64      `json:"age_seconds" doc:"How long it has been in its state."`
}

func keysOf(records []keys.Record, now time.Time) []Key {
	list := make([]Key, len(records))
	for i, r := range records {
		list[i] = Key{
			KID: r.KID, Algorithm: r.Algorithm, State: string(r.State), CreatedAt: timeOf(r.CreatedAt), PublishedAt: timeOf(r.PublishedAt),
			ActivatedAt: timeOf(r.ActivatedAt), RetiredAt: timeOf(r.RetiredAt), GoneAt: timeOf(r.GoneAt),
		}
		since := map[keys.State]int64{keys.Next: r.PublishedAt, keys.Active: r.ActivatedAt, keys.Retiring: r.RetiredAt, keys.Gone: r.GoneAt}
		list[i].AgeSeconds = max(0, (now.UnixMilli()-since[r.State])/msPerSecond)
	}
	return list
}

// KeyChange is one step of one key.
type KeyChange struct {
	KID       string `json:"kid"`
	Algorithm string `json:"algorithm"`
	From      string `json:"from,omitempty" doc:"Missing for a new key."`
	To        string `json:"to"`
}

// KeyChanges are what became of keys.
type KeyChanges struct {
	Changes []KeyChange `json:"changes" nullable:"false"`
}

// RotateKeys asks for a rotation.
type RotateKeys struct {
	Algorithm string `json:"algorithm,omitempty" enum:"RS256,ES256,EdDSA,PS256" doc:"Missing for all."`
	Force     bool   `json:"force,omitempty" doc:"Also if apps may not have seen the next key yet: their checks may fail for a while."`
}

// CompromiseKey says that a key is in other hands.
type CompromiseKey struct {
	Confirm string `json:"confirm" maxLength:"256" doc:"The kid once more."`
	Reason  string `json:"reason" minLength:"1" maxLength:"100" doc:"For the log and the ledger, ASCII."`
}

func (s *surface) keys() {
	register(s, Route{
		ID: "listKeys", Method: http.MethodGet, Path: "/keys", Tag: tagKeys, Permission: accounts.AdminKeysRead,
		Summary: "List signing keys", Details: "By algorithm; those that are gone too.",
	}, func(ctx context.Context, c *admin.Caller, _ *struct{}) (*List[Key], error) {
		records, err := s.Admin.SigningKeys(ctx, c)
		if err != nil {
			return nil, err
		}
		return page(s, ctx, keysOf(records, s.Now()), nil)
	})
	register(s, Route{
		ID: "rotateKeys", Method: http.MethodPost, Path: "/keys/rotate", Tag: tagKeys, Permission: accounts.AdminKeysWrite,
		Summary: "Let the next keys sign", Details: "Refused while apps may not have seen the next key, unless it is forced.",
	}, func(ctx context.Context, c *admin.Caller, in *struct{ Body RotateKeys }) (*struct{ Body KeyChanges }, error) {
		changes, err := s.Admin.RotateKeys(ctx, c, in.Body.Algorithm, in.Body.Force)
		return keyChanges(changes, err)
	})
	register(s, Route{
		ID: "compromiseKey", Method: http.MethodPost, Path: "/keys/{kid}/compromise", Tag: tagKeys, Permission: accounts.AdminKeysWrite,
		Summary: "Remove a key at once", Details: "All that it signed is revoked. `confirm` repeats the kid.",
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		KID  string `path:"kid" maxLength:"512"`
		Body CompromiseKey
	},
	) (*struct{ Body KeyChanges }, error) {
		kid, err := fromSegment(in.KID)
		if err != nil {
			return nil, err
		}
		changes, err := s.Admin.CompromiseKey(ctx, c, kid, in.Body.Confirm, in.Body.Reason)
		return keyChanges(changes, err)
	})
}

func keyChanges(changes []keys.Change, err error) (*struct{ Body KeyChanges }, error) {
	if err != nil {
		return nil, err
	}
	list := make([]KeyChange, len(changes))
	for i, c := range changes {
		list[i] = KeyChange{KID: c.KID, Algorithm: c.Algorithm, From: string(c.From), To: string(c.To)}
	}
	return &struct{ Body KeyChanges }{KeyChanges{list}}, nil
}
