package resource

import (
	"crypto/sha256"
	"encoding/binary"
	"sync/atomic"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/follow"
	"github.com/gatehouse-id/gatehouse/resource/revset"
)

const (
	proofWays = 4
	proofRows = 4096
)

// proof is what has been established about one token and stays so.
type proof struct {
	digest [sha256.Size]byte // of the token as it was sent
	key    *publicKey        // identity counts: every fetch of keys makes new ones
	claims *claims
	token  *Token // shared; whoever leaves the package gets a clone

	query atomic.Pointer[prepared]
}

// prepared is a token's question to sets of one generation.
type prepared struct {
	generation uint64
	query      revset.Query
}

// ask returns the token's question to view.
func (p *proof) ask(view *follow.View) *revset.Query {
	if q := p.query.Load(); q != nil && q.generation == view.Generation {
		return &q.query
	}
	q := &prepared{view.Generation, view.Query(p.token.keys())}
	p.query.Store(q)
	return &q.query
}

// keys returns what rows of the ledger can match of t.
func (t *Token) keys() follow.Claims {
	return follow.Claims{
		Token: t.ID, Session: t.SessionID, Grant: t.GrantID, Subject: t.Subject, Client: t.ClientID, Key: t.KeyID,
		Scopes: t.Scopes, Rev: t.Rev,
	}
}

// proofs remembers up to 16,384 tokens, without locks. A digest can be in four
// places alone. Only what the issuer has signed gets in, so strangers can push
// nothing out.
type proofs struct {
	slots [proofRows * proofWays]atomic.Pointer[proof]
}

// row returns the places of digest.
func (c *proofs) row(digest [sha256.Size]byte) []atomic.Pointer[proof] {
	start := int(binary.BigEndian.Uint32(digest[:4])%proofRows) * proofWays
	return c.slots[start : start+proofWays]
}

func (c *proofs) find(digest [sha256.Size]byte) *proof {
	row := c.row(digest)
	for i := range row {
		// Digests are no secrets that a comparison's time could tell.
		if p := row[i].Load(); p != nil && p.digest == digest {
			return p
		}
	}
	return nil
}

// put remembers p in the place of its former self, of nothing, or of what ends
// first.
func (c *proofs) put(p *proof, now time.Time) {
	row := c.row(p.digest)
	victim, soonest := 0, time.Time{}
	for i := range row {
		old := row[i].Load()
		if old == nil || old.digest == p.digest || !now.Before(old.token.ExpiresAt) {
			victim = i
			break
		}
		if soonest.IsZero() || old.token.ExpiresAt.Before(soonest) {
			victim, soonest = i, old.token.ExpiresAt
		}
	}
	row[victim].Store(p)
}
