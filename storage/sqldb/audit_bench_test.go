package sqldb

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/auditlog"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// BenchmarkAuditSeal is what it costs to write an event, and to seal one.
func BenchmarkAuditSeal(b *testing.B) {
	for _, engine := range []string{"SQLite", "PostgreSQL"} {
		b.Run(engine, func(b *testing.B) {
			url := sqliteURL
			if engine == "PostgreSQL" {
				url = postgresURL
			}
			d := openerOf(url(b))(b)
			k, err := secret.NewKeyring(secret.Text(strings.Repeat("k", 40)))
			if err != nil {
				b.Fatal(err)
			}
			s := &auditlog.Sealer{Store: d, Keyring: k, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
			ctx := audit.WithOrigin(b.Context(), audit.Origin{RequestID: "request", Address: "192.0.2.1", Session: "session"})
			began := time.Now()
			for left := b.N; left > 0; left -= 100 {
				err := d.InTx(ctx, func(ctx context.Context) error {
					for range min(left, 100) {
						err := d.WriteAudit(ctx, audit.Event{
							Actor: audit.Actor{Kind: audit.Person, ID: "subject", Name: "Ada"}, Action: "user.sign_in", TargetKind: "user",
							TargetID: "subject", Details: map[string]any{"session": "sid"}, After: map[string]any{"email": "ada@example.org"},
						})
						if err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			written := time.Now()
			if err := s.CatchUp(b.Context()); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(b.N)/written.Sub(began).Seconds(), "written/s")
			b.ReportMetric(float64(b.N)/time.Since(written).Seconds(), "sealed/s")
		})
	}
}
