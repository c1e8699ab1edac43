package follow

import (
	"github.com/gatehouse-id/gatehouse/resource/revset"
	"github.com/gatehouse-id/gatehouse/resource/wire"
)

// Claims are what rows can match of a token; empty ones are absent.
type Claims struct {
	Token, Session, Grant, Subject, Client, Key string // jti, sid, gid, sub, client_id, kid
	Scopes                                      []string
	Rev                                         int64
}

// Query prepares the question whether a token with these claims is revoked. It is
// good for this view's generation.
func (v *View) Query(c Claims) revset.Query {
	q := revset.Query{
		Token:   v.sum(wire.KindToken, c.Token),
		Session: v.sum(wire.KindSession, c.Session),
		Grant:   v.sum(wire.KindGrant, c.Grant),
		Subject: v.sum(wire.KindUser, c.Subject),
		Client:  v.sum(wire.KindClient, c.Client),
		Key:     v.sum(wire.KindKey, c.Key),
		Rev:     c.Rev,
	}
	// A machine's permissions are taken away by a row about the client (L19).
	if c.Grant == "" {
		return q
	}
	for _, scope := range c.Scopes {
		q.Permissions = append(q.Permissions, v.sum(wire.KindPermission, scope))
	}
	return q
}

// sum returns the fingerprint of a claim's value; zero, which matches nothing, of
// an absent one.
func (v *View) sum(kind, value string) uint64 {
	claim, ok := wire.Claim(kind)
	if !ok || value == "" {
		return 0
	}
	return wire.Sum(v.hashKey, claim, value).Fingerprint()
}

// Row returns what a set keeps of a row. Errors: ErrUnknown, ErrMalformed.
func Row(r wire.Row) (revset.Row, error) {
	row := revset.Row{Position: r.Position, Expires: r.Expires}
	switch r.Kind {
	case wire.KindToken:
		row.Kind = revset.Token
	case wire.KindSession:
		row.Kind = revset.Session
	case wire.KindGrant:
		row.Kind = revset.Grant
	case wire.KindUser, wire.KindMembership:
		row.Kind = revset.Subject
	case wire.KindPermission:
		row.Kind = revset.Permission
	case wire.KindClient:
		row.Kind = revset.Client
	case wire.KindKey:
		row.Kind = revset.Key
	case wire.KindAll:
		row.Kind = revset.All
	default:
		return row, ErrUnknown
	}
	// A row without a key matches nothing, but its position counts.
	if r.Key != "" && row.Kind != revset.All {
		digest, ok := wire.ParseDigest(r.Key)
		if !ok {
			return row, ErrMalformed
		}
		row.Fingerprint = digest.Fingerprint()
	}
	if r.Position <= 0 || r.Expires < 0 {
		return row, ErrMalformed
	}
	return row, nil
}
