package cache

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	stream        = prefix + "ledger"
	streamVersion = "1"
	streamLength  = 1000 // entries kept, about
	streamPage    = 250  // entries read at once: each page has the time of an operation
	// streamWait is how long one read waits, and so how long the end of following
	// may take.
	streamWait = time.Second
)

// Moved says that the ledger's counter has moved.
type Moved struct {
	Timeline string
	Position int64
	Change   int64
	// Chain is the hash of all that the ledger held then, as text; empty from a
	// release that did not tell it.
	Chain string
	// Proof is the sender's own, so that who reads the stream after a loss of the
	// database can believe it.
	Proof string
}

// Publish puts a hint on the Redis stream "gatehouse:ledger". It says that there
// is something to read in the database, no more (ledger rule L4): it may come
// late, out of order, twice or not at all. So a caller logs an error and goes on.
func (r *Redis) Publish(ctx context.Context, m Moved) error {
	ctx, cancel := r.within(ctx)
	defer cancel()
	err := r.client.XAdd(ctx, &redis.XAddArgs{Stream: stream, MaxLen: streamLength, Approx: true, Values: []any{
		"v", streamVersion, "timeline", m.Timeline, "position", m.Position, "change", m.Change, "chain", m.Chain, "proof", m.Proof,
	}}).Err()
	if err != nil {
		return fmt.Errorf("redis: publish where the ledger is: %w", err)
	}
	return nil
}

// Follow calls moved for each hint until ctx ends, and returns nil then, or the
// error that ended it. Hints from before the call are not told.
func (r *Redis) Follow(ctx context.Context, moved func(Moved)) error {
	from := "$"
	for ctx.Err() == nil {
		// The library adds the wait to its own timeout.
		read, err := r.client.XRead(ctx, &redis.XReadArgs{Streams: []string{stream, from}, Count: 1000, Block: streamWait}).Result()
		switch {
		case errors.Is(err, redis.Nil):
			// A Redis that was emptied, or another one after a failover, may count from
			// below: what is new is new whatever its number.
			from = "$"
			continue
		case ctx.Err() != nil:
			return nil
		case err != nil:
			return fmt.Errorf("redis: follow the ledger: %w", err)
		}
		for _, s := range read {
			for _, message := range s.Messages {
				from = message.ID
				if m, ok := parseMoved(message.Values); ok {
					moved(m)
				}
			}
		}
	}
	return nil
}

// Remembered returns the hints that are still on the stream, newest first. With an
// error it returns those that it has read before.
func (r *Redis) Remembered(ctx context.Context) ([]Moved, error) {
	var found []Moved
	to := "+"
	for range 2 * streamLength / streamPage {
		messages, err := r.page(ctx, to)
		if err != nil {
			return found, fmt.Errorf("redis: where the ledger was: %w", err)
		}
		for _, message := range messages {
			to = "(" + message.ID
			if m, ok := parseMoved(message.Values); ok {
				found = append(found, m)
			}
		}
		if len(messages) < streamPage {
			break
		}
	}
	return found, nil
}

func (r *Redis) page(ctx context.Context, to string) ([]redis.XMessage, error) {
	ctx, cancel := r.within(ctx)
	defer cancel()
	return r.client.XRevRangeN(ctx, stream, to, "-", streamPage).Result()
}

// parseMoved reads an entry of our version; what others wrote is no hint.
func parseMoved(values map[string]any) (Moved, bool) {
	text := func(name string) string {
		s, _ := values[name].(string)
		return s
	}
	position, err1 := strconv.ParseInt(text("position"), 10, 64)
	change, err2 := strconv.ParseInt(text("change"), 10, 64)
	ok := text("v") == streamVersion && errors.Join(err1, err2) == nil
	return Moved{Timeline: text("timeline"), Position: position, Change: change, Chain: text("chain"), Proof: text("proof")}, ok
}
