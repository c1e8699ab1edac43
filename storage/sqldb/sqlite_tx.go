package sqldb

import "context"

// liteTx is a transaction on the writer's connection. It holds the writer's turn
// from BEGIN IMMEDIATE to its end.
type liteTx struct{ *lite }

func (l *lite) begin(ctx context.Context) (engineTx, error) {
	if err := l.take(ctx); err != nil {
		return nil, err
	}
	if _, err := l.execHeld(ctx, &statement{text: "BEGIN IMMEDIATE"}, nil); err != nil {
		l.give()
		return nil, err
	}
	return liteTx{l}, nil
}

func (t liteTx) exec(ctx context.Context, st *statement, args []any) (int64, error) {
	return t.execHeld(ctx, st, args)
}

func (t liteTx) query(ctx context.Context, st *statement, args []any, scan func(row scanner) error) error {
	return t.queryHeld(ctx, st, args, scan)
}

func (t liteTx) commit(ctx context.Context, steps []step) (advanced, error) {
	var a advanced
	for _, s := range steps {
		st, args := t.db.statement(s.sql), t.db.bind(s.args)
		var err error
		if s.advances {
			err = t.queryHeld(ctx, st, args, func(row scanner) error {
				return row.Scan(&a.position, &a.change, &a.timeline, &a.hash)
			})
		} else {
			_, err = t.execHeld(ctx, st, args)
		}
		if err != nil {
			t.rollback(ctx)
			return advanced{}, err
		}
	}
	if _, err := t.execHeld(ctx, &statement{text: "COMMIT"}, nil); err != nil {
		t.rollback(ctx)
		return advanced{}, err
	}
	// Still in turn, so that the marker never goes back.
	if a.timeline != "" {
		if err := t.marker.write(a); err != nil {
			t.db.opts.Logger.ErrorContext(ctx, "the ledger's marker could not be written: a restored backup would not be noticed", "error", err)
		}
	}
	t.give()
	return a, nil
}

func (t liteTx) rollback(ctx context.Context) {
	// It fails if SQLite has rolled back by itself; then there is nothing to do.
	_, _ = t.execHeld(ctx, &statement{text: "ROLLBACK"}, nil)
	t.give()
}
