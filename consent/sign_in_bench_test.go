package consent_test

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

// BenchmarkSignIn signs in by turns where there are only a few accounts and where there
// are very many (GATEHOUSE_BENCH_USERS, 20,000 without), in one run, so that whatever
// else the machine does hits both. "statements" is all that a sign-in asks of the
// database: finding the account, then factors, session and events in one transaction.
// "handler" is the whole answer to the form, and so mostly argon2id.
func BenchmarkSignIn(b *testing.B) {
	crowd := 20_000
	if text := os.Getenv("GATEHOUSE_BENCH_USERS"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			b.Fatal(err)
		}
		crowd = n
	}
	for engine, open := range map[string]func(testing.TB) string{"sqlite": sqldbtest.SQLite, "postgres": sqldbtest.Postgres} {
		b.Run(engine, func(b *testing.B) {
			worlds := map[string]*world{}
			for name, users := range map[string]int{"few": 0, "many": crowd} {
				w := newWorldOn(b, "https://id.example.com", open(b))
				w.crowd(users)
				worlds[name] = w
			}
			for _, part := range []struct {
				name string
				do   func(w *world, form url.Values, jar *browser)
			}{
				{"statements", func(w *world, _ url.Values, _ *browser) { w.proceed() }},
				{"handler", func(w *world, form url.Values, jar *browser) { w.submit(form, jar) }},
			} {
				b.Run(part.name, func(b *testing.B) { inTurns(b, worlds, part.do) })
			}
		})
	}
}

// inTurns reports the median time in each world, in microseconds, and their ratio.
func inTurns(b *testing.B, worlds map[string]*world, do func(w *world, form url.Values, jar *browser)) {
	b.Helper()
	took := map[string][]time.Duration{}
	forms, jars := map[string]url.Values{}, map[string]*browser{}
	for name, w := range worlds {
		jars[name] = w.browser()
		forms[name] = fill(b, jars[name].get("/signin"), "username", "ada", "password", password, "action", "continue")
	}
	names := []string{"few", "many"}
	for b.Loop() {
		slices.Reverse(names)
		for _, name := range names {
			began := time.Now()
			do(worlds[name], forms[name], jars[name])
			took[name] = append(took[name], time.Since(began))
		}
	}
	median := func(name string) float64 {
		slices.SortFunc(took[name], cmp.Compare)
		return float64(took[name][len(took[name])/2].Microseconds())
	}
	b.ReportMetric(median("few"), "few-µs")
	b.ReportMetric(median("many"), "many-µs")
	b.ReportMetric(median("many")/median("few"), "many/few")
}

// crowd adds people as an import does.
func (w *world) crowd(users int) {
	w.Helper()
	const batch = 5000
	for at := 0; at < users; at += batch {
		list := make([]accounts.User, min(batch, users-at))
		for i := range list {
			name := fmt.Sprintf("crowd-%07d", at+i)
			list[i] = accounts.User{
				ID: id.New(), Subject: name, Username: name, UsernameKey: name, Email: name + "@example.org", EmailKey: name + "@example.org",
				EmailVerified: true, PasswordHash: passwordHash(), Name: name, CreatedAt: w.now.UnixMilli(), UpdatedAt: w.now.UnixMilli(),
			}
		}
		made, err := w.db.InsertUsers(w.Context(), list)
		w.must(err)
		if len(made) != len(list) {
			w.Fatalf("%d of %d made", len(made), len(list))
		}
	}
}

// proceed signs Ada in, but for the hash.
func (w *world) proceed() {
	ctx := context.Background()
	u, position, err := w.db.UserByLogin(ctx, "ada")
	w.must(err)
	p, err := w.handler.SignIns.Proceed(ctx, &accounts.Result{User: u, Position: position, AMR: []string{"pwd"}}, accounts.Meta{}, "")
	w.must(err)
	if p.Token == "" {
		w.Fatal("not signed in")
	}
}

// submit sends the form of the sign-in page.
func (w *world) submit(form url.Values, jar *browser) {
	if answer := jar.post("/signin", form); answer.Code != http.StatusSeeOther {
		w.Fatalf("status %d\n%s", answer.Code, answer.Body)
	}
}
