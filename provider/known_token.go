package provider

import (
	"context"
	"crypto/sha256"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/provider/token"
	"github.com/gatehouse-id/gatehouse/resource/revset"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// knownToken is an access token of ours whose signature was verified. It says
// nothing about whether the token still lives: its key, its expiry and the ledger
// are asked each time.
type knownToken struct {
	token.Access
	query revset.Query // zero without a tail
}

func (t *knownToken) keys() revocation.Keys {
	return revocation.Keys{
		ID: t.ID, SessionID: t.SessionID, GrantID: t.GrantID, Subject: t.Subject, ClientID: t.ClientID,
		KeyID: t.KeyID, Audience: t.Audience, Scopes: strings.Fields(t.Scope), Rev: t.Rev,
	}
}

// liveAccess verifies one of our access tokens, with the keys as they are at the
// mark, and asks the ledger about it. A token that is malformed, expired or revoked
// is not live; an error means that nobody could tell.
func (p *Provider) liveAccess(ctx context.Context, raw string, mark accounts.Mark) (*knownToken, bool, error) {
	set, err := p.Keys.At(ctx, mark.Change)
	if err != nil {
		return nil, false, unavailable(err)
	}
	now := p.Now()
	if len(raw) > token.MaxSize {
		return nil, false, nil
	}
	// A digest: what is in memory must not be worth stealing.
	digest := sha256.Sum256([]byte(raw))
	t, seen := p.tokens.get(digest)
	if seen {
		if _, ours := set.Verifier(t.KeyID); !ours || now.Unix() >= t.ExpiresAt || t.Issuer != p.issuer {
			return nil, false, nil
		}
	} else {
		a, err := token.ParseAccess(set, p.issuer, raw, now)
		if err != nil {
			return nil, false, nil
		}
		t = &knownToken{Access: a}
		if p.Tail != nil {
			t.query = p.Tail.Query(t.keys())
		}
		p.tokens.put(digest, t)
	}
	revoked, err := p.revoked(ctx, t)
	if err != nil {
		return nil, false, unavailable(err)
	}
	return t, !revoked, nil
}
