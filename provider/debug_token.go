package provider

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"

	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/provider/token"
)

// Read takes a token of this server apart and verifies its signature, expired or not.
func (d *Console) Read(ctx context.Context, raw string) (*admin.ReadToken, error) {
	p := d.Provider
	at, err := p.moment(ctx)
	if err != nil {
		return nil, err
	}
	set, err := p.Keys.At(ctx, at.Change)
	if err != nil {
		return nil, unavailable(err)
	}
	header, rest, _ := strings.Cut(raw, ".")
	claims, _, _ := strings.Cut(rest, ".")
	t := &admin.ReadToken{Header: indented(header), Claims: indented(claims)}
	var protected struct{ Kid, Alg, Typ string }
	readPart(header, &protected)
	t.KeyID, t.Algorithm = protected.Kid, protected.Alg
	if key, ours := set.Verifier(t.KeyID); ours {
		t.KeyState = key.State
	}
	if protected.Typ != keys.TypeAccess {
		var plain struct {
			Iat, Exp int64
			Nonce    string
		}
		readPart(claims, &plain)
		t.IssuedAt, t.ExpiresAt, t.Nonce = plain.Iat, plain.Exp, plain.Nonce
		_, err := token.ParseHint(set, p.issuer, raw)
		t.Signed = err == nil
		return t, nil
	}
	var plain token.Access
	readPart(claims, &plain)
	plain.KeyID = t.KeyID
	_, err = token.ParseAccess(set, p.issuer, raw, p.Now())
	t.Signed = err == nil || errors.Is(err, token.ErrExpired)
	t.Access, t.Audience, t.IssuedAt, t.ExpiresAt = true, plain.Audience, plain.IssuedAt, plain.ExpiresAt
	t.Keys = (&knownToken{Access: plain}).keys()
	return t, nil
}

// readPart decodes what it can: what is not as it should be shows as it is, and its
// signature is wrong.
func readPart(part string, into any) {
	if raw, err := base64.RawURLEncoding.DecodeString(part); err == nil {
		_ = json.Unmarshal(raw, into)
	}
}
