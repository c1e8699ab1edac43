package storagetest

import (
	"context"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// ledgerStamps: what a stamp names gets the position of its transaction, and
// nothing else does (L2).
func ledgerStamps(t *testing.T, l Ledger) {
	ctx := t.Context()
	u, other := newUser(t, l, "one"), newUser(t, l, "two words")
	c, url := plainClient("app"), plainClient("https://c.example/x y")
	must(t, l.InsertClient(ctx, c))
	must(t, l.InsertClient(ctx, url))
	sessions := make(map[id.ID]*accounts.Session)
	for range 2 {
		s := newSession(u.ID)
		must(t, l.InsertSession(ctx, s))
		sessions[s.ID] = s
	}
	for _, uid := range []id.ID{u.ID, other.ID} {
		for _, cid := range []id.ID{c.ID, url.ID} {
			must(t, l.PutConsent(ctx, &accounts.Consent{UserID: uid, ClientID: cid, Scopes: []string{"openid"}}))
		}
	}
	var kept id.ID
	for kept = range sessions {
		break
	}
	must(t, l.InTx(ctx, func(ctx context.Context) error {
		must(t, l.Append(
			ctx, revocation.Entry{Kind: revocation.User, Key: u.Subject}, revocation.Entry{Kind: revocation.Client, Key: c.ClientID},
		))
		return l.Stamp(
			ctx,
			revocation.Stamp{Subject: revocation.SessionRev, ID: kept.String()},
			revocation.Stamp{Subject: revocation.ConsentValidFrom, ID: other.Subject + " " + url.ClientID},
			revocation.Stamp{Subject: revocation.UserValidFrom, ID: u.Subject},
			revocation.Stamp{Subject: revocation.ClientValidFrom, ID: c.ClientID},
			revocation.Stamp{Subject: revocation.UserValidFrom, ID: "nobody"},
			revocation.Stamp{Subject: revocation.UserValidFrom, ID: u.Subject},
		)
	}))
	wantStamps(t, l, map[string]int64{
		"user one": 2, "user two words": 0, "client app": 2, "client " + url.ClientID: 0,
		"session kept": 2, "session other": 0,
		"consent one app": 0, "consent two words " + url.ClientID: 2,
	}, u, other, c, url, kept, sessions)

	// A stamp without a row of its own gets a position that kills nothing.
	must(t, l.InTx(ctx, func(ctx context.Context) error {
		return l.Stamp(ctx, revocation.Stamp{Subject: revocation.UserValidFrom, ID: other.Subject})
	}))
	rows := rowsAfter(t, l, 2)
	if len(rows) != 1 || rows[0].Position != 3 || rows[0].Kind != revocation.Session || rows[0].Key != "" {
		t.Errorf("rows %+v", rows)
	}
	got, err := l.UserBySubject(ctx, other.Subject)
	must(t, err)
	if got.ValidFrom != 3 {
		t.Errorf("valid_from %d", got.ValidFrom)
	}
}

func newSession(userID id.ID) *accounts.Session {
	sid := id.New()
	return &accounts.Session{
		ID: sid, TokenHash: append([]byte("hash of "), sid[:]...), UserID: userID, AMR: []string{"pwd"},
		CreatedAt: 1, IdleEndsAt: 1 << 50, ExpiresAt: 1 << 50,
	}
}

func wantStamps(
	t *testing.T, l Ledger, want map[string]int64,
	u, other *accounts.User, c, url *accounts.Client, kept id.ID, sessions map[id.ID]*accounts.Session,
) {
	t.Helper()
	got := make(map[string]int64)
	for name, user := range map[string]*accounts.User{"user one": u, "user two words": other} {
		now, err := l.UserBySubject(t.Context(), user.Subject)
		must(t, err)
		got[name] = now.ValidFrom
	}
	for _, client := range []*accounts.Client{c, url} {
		now, _, err := l.ClientByID(t.Context(), client.ClientID, 0)
		must(t, err)
		got["client "+client.ClientID] = now.ValidFrom
	}
	for sid := range sessions {
		now, err := l.SessionByID(t.Context(), sid)
		must(t, err)
		if sid == kept {
			got["session kept"] = now.Rev
		} else {
			got["session other"] = now.Rev
		}
	}
	for name, pair := range map[string][2]id.ID{
		"consent one app": {u.ID, c.ID}, "consent two words " + url.ClientID: {other.ID, url.ID},
	} {
		now, err := l.ConsentOf(t.Context(), pair[0], pair[1])
		must(t, err)
		got[name] = now.ValidFrom
	}
	for name, position := range want {
		if got[name] != position {
			t.Errorf("%s has %d, want %d", name, got[name], position)
		}
	}
}
