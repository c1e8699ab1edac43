package provider_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

// Each benchmark reports the round trips to the database of one operation beside
// time and allocations, which include the request's and the answer's own. The
// PostgreSQL of tests does not fsync, SQLite does.

func BenchmarkSQLite(b *testing.B) { benchEndpoints(b, sqliteURL(b)) }

func BenchmarkPostgreSQL(b *testing.B) { benchEndpoints(b, sqldbtest.Postgres(b)) }

// trips counts round trips, only while the operation runs that is measured.
type trips struct {
	count atomic.Int64
	on    atomic.Bool
}

func (c *trips) trace(string) {
	if c.on.Load() {
		c.count.Add(1)
	}
}

func benchEndpoints(b *testing.B, databaseURL string) {
	c := &trips{}
	w := newBenchWorld(b, databaseURL, c.trace)
	b.Run("Authorize", func(b *testing.B) {
		c.measure(b, func() bool { return w.newCode() != "" })
	})
	b.Run("CodeExchange", func(b *testing.B) { benchCode(b, c, w) })
	b.Run("CodeExchangeRS256", func(b *testing.B) {
		benchAlgorithm(b, w, "RS256")
		benchCode(b, c, w)
		benchAlgorithm(b, w, "ES256")
	})
	first := w.exchange(w.newCode())
	b.Run("Refresh", func(b *testing.B) {
		c.measure(b, func() bool {
			next := w.call("/oauth2/token", w.app, url.Values{
				"grant_type": {"refresh_token"}, "refresh_token": {first.str("refresh_token")},
			})
			first = next
			return next.status == http.StatusOK
		})
	})
	b.Run("ClientCredentials", func(b *testing.B) {
		c.measure(b, func() bool {
			return w.call("/oauth2/token", w.machine, url.Values{"grant_type": {"client_credentials"}}).status == http.StatusOK
		})
	})
	b.Run("Introspect", func(b *testing.B) {
		form := url.Values{"token": {first.str("access_token")}}
		c.measure(b, func() bool { return w.call("/oauth2/introspect", w.resource, form).json["active"] == true })
	})
	b.Run("Userinfo", func(b *testing.B) {
		c.measure(b, func() bool {
			r := httptest.NewRequest(http.MethodGet, issuer+"/userinfo", nil)
			r.Header.Set("Authorization", "Bearer "+first.str("access_token"))
			return w.ask(r).status == http.StatusOK
		})
	})
}

// measure runs an operation that reports whether it succeeded.
func (c *trips) measure(b *testing.B, do func() bool) {
	b.ReportAllocs()
	c.count.Store(0)
	c.on.Store(true)
	for b.Loop() {
		if !do() {
			b.Fatal("the operation failed")
		}
	}
	c.report(b)
}

func (c *trips) report(b *testing.B) {
	c.on.Store(false)
	b.ReportMetric(float64(c.count.Load())/float64(b.N), "sql/op")
}

// benchCode redeems codes, each made beforehand while the clock stands.
func benchCode(b *testing.B, c *trips, w *benchWorld) {
	b.ReportAllocs()
	c.count.Store(0)
	for b.Loop() {
		b.StopTimer()
		code := w.newCode()
		c.on.Store(true)
		b.StartTimer()
		if a := w.exchange(code); a.status != http.StatusOK {
			b.Fatal(a.raw)
		}
		c.on.Store(false)
	}
	c.report(b)
}

func benchAlgorithm(b *testing.B, w *benchWorld, algorithm string) {
	b.Helper()
	err := w.clients.Update(b.Context(), tester, w.app.ClientID, func(c *accounts.Client) error {
		c.IDTokenAlgorithm = algorithm
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
}
