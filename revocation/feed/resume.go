package feed

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/singleflight"

	"github.com/gatehouse-id/gatehouse/revocation"
)

const (
	// keptProofs is how many places of the ledger are remembered as true.
	keptProofs = 4096
	// evidenceTime bounds the question to the primary.
	evidenceTime = 5 * time.Second
	// catchUpTime is how long a follower waits that is ahead of this node.
	catchUpTime = confirmedFor
)

// errBehind says that this node does not get to where a follower already is.
var errBehind = errors.New("feed: this node is behind a follower")

// resume returns where a cursor leads, or why it cannot be continued. An error
// means that this cannot be told now.
//
// A cursor that this node cannot check itself is evidence: the primary is asked
// whether it knows that position with that hash (L8). Forged cursors, and those of
// another audience, secret or timeline, never get there.
func (h *Handler) resume(ctx context.Context, a *Audience, text string) (Mark, string, error) {
	p, err := h.Ledger.Point(ctx)
	if err != nil {
		return Mark{}, "", err
	}
	c, version, ok := readCursor(h.Keyring, text)
	switch {
	case !ok, c.filter != a.filter && version == h.Keyring.Current():
		return Mark{}, resetMalformed, nil
	case c.line != lineOf(p.Timeline):
		return Mark{}, resetTimeline, nil
	case c.position < p.Floor: // it proves nothing, and costs no question
		return Mark{}, resetTooOld, nil
	}
	// Also under an earlier secret: it is evidence all the same.
	same, err := h.prove(ctx, p, c.position, c.chain)
	if err != nil {
		return Mark{}, "", err
	}
	if c.filter != a.filter {
		return Mark{}, resetHashKey, nil
	}
	p, err = h.reach(ctx, p.Timeline, c.position)
	switch {
	case err != nil:
		return Mark{}, "", err
	case c.line != lineOf(p.Timeline): // the question revealed a loss
		return Mark{}, resetTimeline, nil
	case c.position < p.Floor || !same || h.unproven(c):
		return Mark{}, resetTooOld, nil
	}
	return Mark{Timeline: p.Timeline, Position: c.position, Chain: c.chain}, "", nil
}

// prove asks for evidence where this node cannot tell, and reports whether nothing
// speaks against the place: where a database shows another history, or no longer
// shows any, rows may stand below it that the follower was never told.
func (h *Handler) prove(ctx context.Context, p revocation.Point, position int64, chain Chain) (bool, error) {
	at := placeOf(p, position, chain)
	if position <= p.Position && (chain == Chain{} || h.proofs.has(at)) {
		return true, nil
	}
	same, err := h.proofs.ask(ctx, at, h.Ledger.Evidence)
	return same || chain == Chain{}, err
}

// unproven reports whether a cursor that carries no hash, since it leads into the
// middle of what was sent at once, lies outside what this node has followed itself.
func (h *Handler) unproven(c cursor) bool {
	if c.chain != (Chain{}) || c.position == 0 {
		return false
	}
	_, _, ok := h.Ledger.Since(c.position)
	return !ok
}

// reach waits until this node knows the ledger up to a position, which another
// node may have told first (L17), or has another timeline.
func (h *Handler) reach(ctx context.Context, timeline string, position int64) (revocation.Point, error) {
	timeout := time.NewTimer(catchUpTime)
	defer timeout.Stop()
	for {
		changed := h.Ledger.Changed()
		p, err := h.Ledger.Point(ctx)
		if err != nil || p.Position >= position || p.Timeline != timeline {
			return p, err
		}
		select {
		case <-changed:
		case <-timeout.C:
			return p, errBehind
		case <-ctx.Done():
			return p, ctx.Err()
		}
	}
}

// place is one place of one history, as a node knows that between two losses.
type place struct {
	timeline string
	apart    int64
	position int64
	chain    Chain
}

func placeOf(p revocation.Point, position int64, chain Chain) place {
	return place{timeline: p.Timeline, apart: p.Apart, position: position, chain: chain}
}

// proofs remembers which places of the ledger are true, so that followers that
// come back together cost one question at most.
type proofs struct {
	mu     sync.Mutex
	known  map[place]struct{}
	order  []place // a ring, the next to be forgotten at next
	next   int
	flight singleflight.Group
}

func newProofs() *proofs { return &proofs{known: make(map[place]struct{})} }

// saw remembers what this node's own reading of the primary has shown.
func (p *proofs) saw(point revocation.Point) {
	if chain := chainOf(point.Chain); chain != (Chain{}) {
		p.add(placeOf(point, point.Position, chain))
	}
}

func (p *proofs) add(at place) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, ok := p.known[at]; ok {
		return
	}
	p.known[at] = struct{}{}
	if len(p.order) < keptProofs {
		p.order = append(p.order, at)
		return
	}
	delete(p.known, p.order[p.next])
	p.order[p.next] = at
	p.next = (p.next + 1) % keptProofs
}

func (p *proofs) has(at place) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.known[at]
	return ok
}

// ask asks once for all who present the same evidence at the same time.
func (p *proofs) ask(
	ctx context.Context, at place, evidence func(ctx context.Context, position int64, chain []byte) (bool, error),
) (bool, error) {
	same, err, _ := p.flight.Do(fmt.Sprintf("%s %d %d %x", at.timeline, at.apart, at.position, at.chain), func() (any, error) {
		if p.has(at) {
			return true, nil
		}
		// Not the caller's context: others wait for the same.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), evidenceTime)
		defer cancel()
		same, err := evidence(ctx, at.position, at.chain.known())
		if same && err == nil {
			p.add(at)
		}
		return same, err
	})
	if err != nil {
		return false, err
	}
	return same.(bool), nil
}
