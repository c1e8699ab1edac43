package revocation

import (
	"context"
	"errors"
	"fmt"
)

// Look reads what the database has now, once, together with all who ask for it at
// the same time.
func (t *Tail) Look(ctx context.Context) error {
	t.mu.Lock()
	l := t.next
	if l == nil {
		l = &look{done: make(chan struct{})}
		t.next = l
		// Not the caller's context: others wait for the same.
		go t.perform(context.WithoutCancel(ctx), l)
	}
	t.mu.Unlock()
	select {
	case <-l.done:
		return l.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *Tail) perform(ctx context.Context, l *look) {
	t.turn <- struct{}{}
	defer func() { <-t.turn }()
	// From here on, who wants to know what is committed now needs another look.
	t.mu.Lock()
	t.next = nil
	t.mu.Unlock()
	defer close(l.done)
	switch l.err = t.catchUp(ctx); {
	case errors.Is(l.err, ErrLost):
		l.err = t.recover(ctx, t.mirror.Point().Position)
	case errors.Is(l.err, ErrUnproven):
		l.err = t.doubt(ctx)
	}
}

// catchUp reads until nothing is left. The caller has the turn.
func (t *Tail) catchUp(ctx context.Context) error {
	wrote := t.wrote.Load() // before the question, so that the answer must show it
	for {
		asked := t.Now()
		b, err := t.catch(ctx, t.mirror.Point().Position, batchRows)
		if err != nil {
			return err
		}
		t.mu.Lock()
		err = t.mirror.Absorb(b, asked)
		t.mu.Unlock()
		if err != nil {
			return err
		}
		t.show(t.mirror, false)
		switch p := t.mirror.Point(); {
		case b.More:
		case p.Position < wrote.Position, p.Change < wrote.Change:
			return ErrLost // as this process knows before any row of it was read
		default:
			return nil
		}
	}
}

func (t *Tail) catch(ctx context.Context, after int64, limit int) (Batch, error) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	b, err := t.Source.Catch(ctx, after, limit)
	if err != nil {
		return Batch{}, fmt.Errorf("look at the ledger: %w", err)
	}
	return b, nil
}

// show lets readers see what the mirror knows.
func (t *Tail) show(m *Mirror, lost bool) {
	t.state.Store(&state{point: m.Point(), set: m.Set(), lost: lost})
	fresh := make(chan struct{})
	close(*t.changed.Swap(&fresh))
}

// all reads every row above a position. The caller has the turn.
func (t *Tail) all(ctx context.Context, after int64) ([]Row, error) {
	var rows []Row
	for {
		b, err := t.catch(ctx, after, batchRows)
		if err != nil {
			return nil, err
		}
		rows, t.mirror.dropped = append(rows, b.Rows...), b.Head.Floor
		if !b.More {
			return rows, nil
		}
		after = b.Rows[len(b.Rows)-1].Position
	}
}

// rebuild reads everything anew. The caller has the turn.
func (t *Tail) rebuild(ctx context.Context) error {
	anew := NewMirror(t.seed, t.Set)
	for more := true; more; {
		asked := t.Now()
		b, err := t.catch(ctx, anew.Point().Position, batchRows)
		if err != nil {
			return err
		}
		if err := anew.Absorb(b, asked); err != nil {
			return err
		}
		more = b.More
	}
	anew.Replace()
	t.mu.Lock()
	t.mirror = anew
	t.mu.Unlock()
	t.show(anew, false)
	return nil
}
