package auditlog

import (
	"context"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// HealthStore tells how the log is doing, cheaply.
type HealthStore interface {
	AuditEnds(ctx context.Context) (*Ends, error)
	AuditWaitingRows(ctx context.Context) (Waiting, error)
	AuditStreams(ctx context.Context) ([]StreamState, error)
}

// Health is how the log is doing: for doctor and the console's first page.
type Health struct {
	Head     int64  `json:"head"`              // number of the last sealed event
	SealedAt int64  `json:"sealed_at"`         // when it was; Unix milliseconds
	Broken   string `json:"broken,omitempty"`  // why nothing is sealed, empty if it can be
	Waiting  int    `json:"waiting"`           // events that are not sealed yet
	Late     bool   `json:"late"`              // one of them should be since a minute
	Streams  []Flow `json:"streams,omitempty"` // where it is sent
}

// Flow is how a stream is doing.
type Flow struct {
	StreamState
	Behind int64 `json:"behind"` // events that are sealed and not sent
	Idle   bool  `json:"idle"`   // no node says that it sends
}

// Look reads how the log is doing.
func Look(ctx context.Context, store HealthStore, keyring *secret.Keyring, now time.Time) (*Health, error) {
	ends, err := store.AuditEnds(ctx)
	if err != nil {
		return nil, err
	}
	waiting, err := store.AuditWaitingRows(ctx)
	if err != nil {
		return nil, err
	}
	streams, err := store.AuditStreams(ctx)
	if err != nil {
		return nil, err
	}
	h := &Health{Head: ends.Head.Seq, SealedAt: ends.At, Waiting: waiting.Rows}
	h.Late = waiting.Rows > 0 && now.UnixMilli()-waiting.Oldest > LateSeal.Milliseconds()
	if err := ends.check(keyring); err != nil {
		h.Broken = err.Error()
	}
	for _, s := range streams {
		h.Streams = append(h.Streams, Flow{StreamState: s, Behind: max(0, h.Head-s.Seq), Idle: s.TouchedUntil < now.UnixMilli()})
	}
	return h, nil
}
