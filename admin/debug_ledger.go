package admin

import (
	"context"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// Weighed is a token and what the ledger says of it.
type Weighed struct {
	*ReadToken
	// Hidden says that the caller may not read the ledger (AdminRevocationsRead): then
	// only BelowFloor is set of what follows, and First, with nothing but its kind.
	Hidden bool
	// Of access tokens alone:
	Head       int64 // where the ledger stands
	BelowFloor bool  // rows that could concern it are gone, so it is refused
	Asked      []WeighedKey
	// First is the first row that refuses it; nil if none does.
	First *revocation.Row
	// Concerned is how many followers of its audience were heard of lately, Applied how
	// many of them have First, or, without one, the head.
	Concerned, Applied int
}

// WeighedKey is one of a token's keys that rows are matched with.
type WeighedKey struct {
	Kind    revocation.Kind
	Key     string
	Row     *revocation.Row // the newest with it; nil if there is none
	Refuses bool            // a row with it refuses the token
}

// mostRows bounds how many rows about one token are read. They are kept for little
// longer than a token lives.
const mostRows = 500

// DebugToken reads a token that a run led to and asks the ledger about it, as resource
// servers do. Errors: those of Debuggable.
func (a *Admin) DebugToken(ctx context.Context, c *Caller, clientID, raw string) (*Weighed, error) {
	if _, err := a.Debuggable(ctx, c, clientID); err != nil {
		return nil, err
	}
	t, err := a.Protocol.Read(ctx, raw)
	if err != nil {
		return nil, err
	}
	w := &Weighed{ReadToken: t}
	if !t.Access {
		return w, nil
	}
	if err := a.weigh(ctx, w); err != nil {
		return nil, err
	}
	if !c.May(accounts.AdminRevocationsRead) {
		w.hide()
	}
	return w, nil
}

// hide leaves the verdict, as any resource server would give it.
func (w *Weighed) hide() {
	bare := &Weighed{ReadToken: w.ReadToken, Hidden: true, BelowFloor: w.BelowFloor}
	if w.First != nil {
		bare.First = &revocation.Row{Kind: w.First.Kind}
	}
	*w = *bare
}

func (a *Admin) weigh(ctx context.Context, w *Weighed) error {
	// The head first: rows that are written meanwhile make the verdict only newer.
	head, err := a.Ledger.Head(ctx)
	if err != nil {
		return err
	}
	k := w.Keys
	w.Head, w.BelowFloor, w.Asked = head.Position, k.Rev < head.Floor, weighedKeys(k)
	asked := []string{""} // of the kind All
	for _, key := range w.Asked {
		asked = append(asked, key.Key)
	}
	rows, err := a.Ledger.RowsOf(ctx, asked, mostRows)
	if err != nil {
		return err
	}
	w.take(rows)
	followers, err := a.followers(ctx)
	if err != nil {
		return err
	}
	needed := w.Head
	if w.First != nil {
		needed = w.First.Position
	}
	for _, f := range followers {
		if f.Audience != w.Audience || f.Silent {
			continue
		}
		w.Concerned++
		if f.Position >= needed {
			w.Applied++
		}
	}
	return nil
}

// weighedKeys are the keys of a token, by the kinds of rows that look at them
// (revocation.Row.Matches).
func weighedKeys(k revocation.Keys) []WeighedKey {
	var list []WeighedKey
	for kind, key := range map[revocation.Kind]string{
		revocation.Token: k.ID, revocation.Session: k.SessionID, revocation.Grant: k.GrantID, revocation.User: k.Subject,
		revocation.Membership: k.Subject, revocation.Client: k.ClientID, revocation.Key: k.KeyID,
	} {
		if key != "" {
			list = append(list, WeighedKey{Kind: kind, Key: key})
		}
	}
	if k.GrantID != "" {
		for _, scope := range k.Scopes {
			if !protocolScope(scope) { // no row can be about one
				list = append(list, WeighedKey{Kind: revocation.Permission, Key: scope})
			}
		}
	}
	list = append(list, WeighedKey{Kind: revocation.All})
	order := revocation.Kinds()
	slices.SortFunc(list, func(x, y WeighedKey) int {
		if d := slices.Index(order, x.Kind) - slices.Index(order, y.Kind); d != 0 {
			return d
		}
		return strings.Compare(x.Key, y.Key)
	})
	return list
}

// take puts rows, newest first, beside the keys that they are about.
func (w *Weighed) take(rows []revocation.Row) {
	for i := range rows {
		row := &rows[i]
		refuses := row.Matches(w.Keys)
		if refuses {
			w.First = row
		}
		for n := range w.Asked {
			key := &w.Asked[n]
			if key.Kind != row.Kind || key.Key != row.Key || row.Kind == revocation.All && row.Audience != "" && row.Audience != w.Keys.Audience {
				continue
			}
			if key.Row == nil {
				key.Row = row
			}
			key.Refuses = key.Refuses || refuses
		}
	}
}
