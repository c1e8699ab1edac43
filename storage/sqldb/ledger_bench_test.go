package sqldb

import (
	"context"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// BenchmarkLedger measures what every token costs beside its own statement. (The
// cluster of the tests does not fsync: durable figures come from elsewhere.)
func BenchmarkLedger(b *testing.B) {
	for name, url := range map[string]func(testing.TB) string{"SQLite": sqliteURL, "PostgreSQL": postgresURL} {
		b.Run(name, func(b *testing.B) {
			d, ctx := openerOf(url(b))(b), b.Context()
			c := &accounts.Client{ID: id.New(), ClientID: "app", Type: accounts.WebClient, GrantTypes: []string{"authorization_code"}}
			if err := d.InsertClient(ctx, c); err != nil {
				b.Fatal(err)
			}
			if err := d.InsertSecret(ctx, c.ID, accounts.ClientSecret{ID: id.New(), Hash: "mac:x"}); err != nil {
				b.Fatal(err)
			}
			keys := revocation.Keys{
				ID: "a", SessionID: "b", GrantID: "c", Subject: "d", ClientID: "e", KeyID: "f",
				Scopes: []string{"openid", "posts:add"},
			}
			for name, f := range map[string]func() error{
				"ClientByID": func() error { _, _, err := d.ClientByID(ctx, "app", 1); return err },
				"Head":       func() error { _, err := d.Head(ctx); return err },
				"Revoked":    func() error { _, err := d.Revoked(ctx, keys); return err },
				"Append": func() error {
					return d.InTx(ctx, func(ctx context.Context) error { return d.Append(ctx, oneRow) })
				},
			} {
				b.Run(name, func(b *testing.B) {
					b.ReportAllocs()
					for b.Loop() {
						if err := f(); err != nil {
							b.Fatal(err)
						}
					}
				})
			}
		})
	}
}
