package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"

	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/storage/cache"
)

const proofPurpose = "ledger position"

// proven is what Redis is told of the ledger, with what lets who finds it there
// believe that it was ours.
func proven(keys *secret.Keyring, h revocation.Head) cache.Moved {
	m := cache.Moved{Timeline: h.Timeline, Position: h.Position, Change: h.Change, Chain: base64.RawURLEncoding.EncodeToString(h.Hash)}
	m.Proof = base64.RawURLEncoding.EncodeToString(keys.MAC(proofPurpose, proofParts(m)...))
	return m
}

// proofParts are what a proof covers. A release before told no hash.
func proofParts(m cache.Moved) [][]byte {
	parts := [][]byte{[]byte(m.Timeline), binary.BigEndian.AppendUint64(nil, uint64(m.Position))}
	if m.Chain != "" {
		parts = append(parts, []byte(m.Chain))
	}
	return parts
}

// recoverFromRedis compares the ledger with what Redis remembers of it, before
// anything is written or minted: a backup that was restored while no node ran is found
// by nobody else (L8), and what is committed first would make it look like the ledger
// going on. A Redis that does not answer, or was emptied, knows nothing.
func (d *domain) recoverFromRedis(ctx context.Context) error {
	if d.redis == nil {
		return nil
	}
	// Before the head: nobody was told of more than was committed by then.
	hints, err := d.redis.Remembered(ctx)
	if err != nil {
		d.log.WarnContext(ctx, "Redis cannot be asked how far the ledger went", "error", err)
	}
	ours := hints[:0]
	for _, m := range hints {
		proof, err := base64.RawURLEncoding.DecodeString(m.Proof)
		if err == nil && d.keyring.Verify(proofPurpose, proof, proofParts(m)...) {
			ours = append(ours, m)
		}
	}
	position, lost, err := d.contradicts(ctx, ours)
	if err != nil || !lost {
		return err
	}
	if err := d.repair.Apply(ctx, position, nil); err != nil {
		return fmt.Errorf("repair the ledger: %w", err)
	}
	return nil
}

// contradicts returns the highest position that was told and of which the database
// shows another history or none. All hints count, not the newest: nodes tell theirs
// late and out of order, and somebody may have written into a restored database who
// was not told of a Redis.
func (d *domain) contradicts(ctx context.Context, told []cache.Moved) (highest int64, lost bool, err error) {
	if len(told) == 0 {
		return 0, false, nil
	}
	head, err := d.db.Head(ctx)
	if err != nil {
		return 0, false, err
	}
	var known []int64
	for _, m := range told {
		if m.Timeline == head.Timeline && m.Position < head.Position && m.Chain != "" {
			known = append(known, m.Position)
		}
	}
	chains, err := d.db.Chains(ctx, known)
	if err != nil {
		return 0, false, err
	}
	chains[head.Position] = head.Hash
	for _, m := range told {
		if differs(m, head, chains) {
			highest, lost = max(highest, m.Position), true
		}
	}
	return highest, lost, nil
}

func differs(m cache.Moved, head revocation.Head, chains map[int64][]byte) bool {
	switch {
	case m.Timeline != head.Timeline:
		// Another deployment that used this Redis, or this one before its database was
		// made anew: then its tokens' revs mean nothing here.
		return m.Position >= head.Position
	case m.Position > head.Position:
		return true
	}
	here, ok := chains[m.Position]
	there, err := base64.RawURLEncoding.DecodeString(m.Chain)
	return ok && err == nil && len(there) > 0 && !bytes.Equal(here, there)
}
