package admin

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/revocation"
)

// TestWeigh: what the debugger says of each key agrees with what refuses the token.
func TestWeigh(t *testing.T) {
	k := revocation.Keys{
		ID: "jti", SessionID: "sid", GrantID: "gid", Subject: "sub", ClientID: "app", KeyID: "kid", Scopes: []string{"openid", "posts:add"}, Rev: 10,
	}
	own := map[revocation.Kind]string{
		revocation.Token: "jti", revocation.Session: "sid", revocation.Grant: "gid", revocation.User: "sub", revocation.Membership: "sub",
		revocation.Permission: "posts:add", revocation.Client: "app", revocation.Key: "kid", revocation.All: "",
	}
	for _, kind := range revocation.Kinds() {
		for _, position := range []int64{5, 10, 11} {
			rows := []revocation.Row{{Position: 20, Kind: kind, Key: "other"}, {Position: position, Kind: kind, Key: own[kind]}}
			if kind == revocation.All {
				rows = rows[1:]
			}
			w := &Weighed{ReadToken: &ReadToken{Keys: k}, Asked: weighedKeys(k)}
			w.take(rows)
			want := kind.Absolute() || position > k.Rev
			if refused := w.First != nil; refused != want || refused && w.First.Position != position {
				t.Errorf("%s at %d: refused by %+v, want %t", kind, position, w.First, want)
			}
			for _, key := range w.Asked {
				mine := key.Kind == kind
				if (key.Row != nil) != mine || key.Refuses != (mine && want) {
					t.Errorf("%s at %d: %+v", kind, position, key)
				}
			}
		}
	}
	// The first row that refuses is named, the newest stands beside the key.
	w := &Weighed{ReadToken: &ReadToken{Keys: k}, Asked: weighedKeys(k)}
	w.take([]revocation.Row{{Position: 15, Kind: revocation.User, Key: "sub"}, {Position: 12, Kind: revocation.User, Key: "sub"}, {Position: 9, Kind: revocation.User, Key: "sub"}})
	if w.First == nil || w.First.Position != 12 {
		t.Errorf("first %+v", w.First)
	}
	for _, key := range w.Asked {
		if key.Kind == revocation.User && key.Row.Position != 15 {
			t.Errorf("beside the user: %+v", key.Row)
		}
	}
	// A machine's token has no session and no grant, and no group gave it anything.
	var kinds []revocation.Kind
	for _, key := range weighedKeys(revocation.Keys{ID: "jti", Subject: "app", ClientID: "app", KeyID: "kid", Scopes: []string{"posts:add"}}) {
		kinds = append(kinds, key.Kind)
	}
	want := []revocation.Kind{revocation.Token, revocation.User, revocation.Membership, revocation.Client, revocation.Key, revocation.All}
	if diff := cmp.Diff(want, kinds); diff != "" {
		t.Error(diff)
	}
}
