package sqldb

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

func TestAudit(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d := open(t, func(o *Options) { o.Now = func() time.Time { return time.UnixMilli(42) } })
		origin := audit.Origin{RequestID: "req", Address: "192.0.2.1", Session: "sid"}
		ctx := audit.WithOrigin(t.Context(), origin)
		ban := audit.Event{
			Actor:  audit.Actor{Kind: audit.CommandLine, ID: "root", Name: "Root"},
			Action: "user.ban", TargetKind: "user", TargetID: "sub", Details: map[string]any{"why": "\x00\"x\"", "email": "a@example.org"},
			Before: map[string]any{"name": "Ada", "staff": true}, After: map[string]any{"name": "\u00fc\x00"},
		}
		plain := audit.Event{Action: "group.create"}
		rollback := errors.New("rollback")
		for _, e := range []struct {
			event audit.Event
			err   error
		}{{ban, nil}, {audit.Event{Action: "lost"}, rollback}, {plain, nil}} {
			err := d.InTx(ctx, func(ctx context.Context) error {
				return errors.Join(d.WriteAudit(ctx, e.event), e.err)
			})
			if !errors.Is(err, e.err) {
				t.Fatal(err)
			}
		}
		got, err := d.AuditTail(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		want := []AuditEntry{{At: 42, Event: plain, Origin: origin}, {At: 42, Event: ban, Origin: origin}}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(AuditEntry{}, "ID")); diff != "" {
			t.Error(diff)
		}
		if got, err = d.AuditTail(t.Context(), 1); len(got) != 1 || err != nil {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestInstance(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d, ctx := open(t), t.Context()
		if _, err := d.Instance(ctx, "issuer"); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("error %v", err)
		}
		for _, value := range []string{"one", "two"} {
			if err := d.SetInstance(ctx, "issuer", value); err != nil {
				t.Fatal(err)
			}
			if got, err := d.Instance(ctx, "issuer"); got != value || err != nil {
				t.Errorf("%q, %v", got, err)
			}
		}
	})
}
