package sqldb

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/jobs"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// adminListTexts are the statements of the lists of operators.
func adminListTexts() []planned {
	i, at := id.New(), int64(1)
	clients := []any{"a", "b", "c", lastRune, "web", "enabled", 10}
	return []planned{
		{sql: clientsByName, args: clients},
		{sql: clientsOfHost, args: append(clients, "h")},
		{sql: clientOfID, args: append(clients, "h")},
		{sql: clientsFound, args: append(clients, "h"), whole: []string{"u", "n", "h"}}, // of a page
		{sql: clientsNewest, args: []any{i, "", "", 10}, whole: []string{"c"}},          // of a page
		{sql: endSecret, args: []any{i, i, at}},
		{sql: allSessions, args: []any{i, 10}, whole: []string{"s"}}, // of a page
		{sql: sessionsOfOne, args: []any{i, 10, "a"}, whole: []string{"mine", "s"}},
		{sql: oldestSessions, args: []any{i, 10}, whole: []string{"s"}},
		{sql: oldestOfOne, args: []any{i, 10, "a"}, whole: []string{"mine", "s"}},
		{sql: oneSession, args: []any{i, 10}},
		{sql: grantsOfClient, args: []any{i, 10, "a"}, whole: []string{"g"}},
		{sql: grantsOfOne, args: []any{i, 10, "a", "b"}, whole: []string{"mine", "g"}},
		{sql: oneGrant, args: []any{i, 10}},
		{sql: consentsOfClient, args: []any{i, 10, "a"}, whole: []string{"k"}},
		{sql: consentsOfOne, args: []any{i, 10, "a", "b"}},
		{sql: revokeConsents, args: []any{i, at}},
		{sql: ledgerBack, args: []any{at, "user", 10}},
		{sql: ledgerOf, args: []any{at, "", 10, "a"}, whole: []string{"mine"}},
		{sql: ledgerOn, args: []any{at, "user", 10}},
		{sql: ledgerOnOf, args: []any{at, "", 10, "a"}, whole: []string{"mine"}},
		{sql: groupHolds, args: []any{"a"}, whole: []string{"above", "a"}},
		{sql: groupCrowd, args: []any{"a", at, 10}, whole: []string{"below", "x", "(subquery"}},
		{sql: lockGroup, args: []any{"a"}},
		{sql: lockAPI, args: []any{"a"}},
		{sql: countsSince, args: []any{at, at}},
		{sql: clientCountsSince, args: []any{i, at}},
		{sql: mostRefused, args: []any{at, 10, 5}, whole: []string{"f", "seen", "(subquery"}},
		{sql: dropCounts, args: []any{at}},
		{sql: dropClientCounts, args: []any{at}},
		{sql: newGrants, args: []any{i, 10}, whole: []string{"g", "(subquery"}},
		{sql: jobQueues, args: []any{10}, whole: []string{"j", "(subquery"}},
	}
}

// TestAdminListsUseIndexes: no page of a list reads a growing table from end to end.
func TestAdminListsUseIndexes(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		d := openerOf(sqliteURL(t))(t)
		for _, p := range adminListTexts() {
			for _, line := range sqlitePlan(t, d, p) {
				fine := strings.Contains(line, "VIRTUAL TABLE") || strings.Contains(line, "CONSTANT ROW") || readsWhole(line, p.whole)
				if strings.HasPrefix(line, "SCAN") && !fine || strings.Contains(line, "AUTOMATIC") {
					t.Errorf("%s\nin %s", line, p.sql)
				}
			}
		}
	})
	t.Run("PostgreSQL", func(t *testing.T) {
		// Joins of whole tables are for small ones, as all are here.
		d := openerOf(postgresURL(t) + "&enable_seqscan=off&enable_hashjoin=off&enable_mergejoin=off")(t)
		for _, p := range adminListTexts() {
			plan := postgresPlan(t, d, p)
			for n, line := range plan {
				if !strings.Contains(line, "Scan") || strings.Contains(line, "CTE Scan") || strings.Contains(line, "Subquery Scan") ||
					strings.Contains(line, "WorkTable Scan") {
					continue
				}
				index := strings.Contains(line, "Index")
				bound := n+1 < len(plan) && strings.Contains(plan[n+1], "Index Cond")
				if strings.Contains(line, "Seq Scan") || index && !bound {
					t.Errorf("%s\nin %s\nplan:\n%s", line, p.sql, strings.Join(plan, "\n"))
				}
			}
		}
	})
}

// TestAdminLists: each list has what it should, in its order and page by page, on both
// engines.
func TestAdminLists(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		d, ctx := open(t), t.Context()
		var people []*accounts.User
		for _, name := range []string{"ada", "bob"} {
			u := &accounts.User{ID: id.New(), Subject: "sub-" + name, Username: name, UsernameKey: name, CreatedAt: 1}
			must(t, d.InsertUser(ctx, u))
			people = append(people, u)
		}
		var clients []*accounts.Client
		for i, uris := range [][]string{{"https://a.example:8443/cb", "com.app:/cb"}, {"https://a.example/x", "https://b.example?q"}, {"http://[::1]:80/", "http://127.0.0.1"}} {
			c := &accounts.Client{ID: id.New(), ClientID: fmt.Sprint("client", i), Name: []string{"beta", "Alpha", "alphabet"}[i], Type: accounts.WebClient, RedirectURIs: uris, CreatedAt: 1}
			must(t, d.InsertClient(ctx, c))
			clients = append(clients, c)
		}
		clients[2].RedirectURIs, clients[2].DisabledAt = []string{"https://[::1]/"}, 7
		must(t, d.UpdateClient(ctx, clients[2]))

		t.Run("clients", func(t *testing.T) {
			for name, tt := range map[string]struct {
				q    admin.ClientQuery
				want string
			}{
				"all": {admin.ClientQuery{}, "Alpha alphabet beta"}, "prefix": {admin.ClientQuery{Prefix: "ALPHA"}, "Alpha alphabet"},
				"after": {admin.ClientQuery{After: admin.ClientKey{Name: "alpha", ClientID: "client1"}}, "alphabet beta"},
				"host":  {admin.ClientQuery{RedirectHost: "A.example"}, "Alpha beta"}, "another": {admin.ClientQuery{RedirectHost: "b.example"}, "Alpha"},
				"address": {admin.ClientQuery{RedirectHost: "[::1]"}, "alphabet"}, "gone": {admin.ClientQuery{RedirectHost: "127.0.0.1"}, ""},
				"disabled": {admin.ClientQuery{State: "disabled"}, "alphabet"}, "enabled": {admin.ClientQuery{State: "enabled"}, "Alpha beta"},
				"id": {admin.ClientQuery{ClientID: "client1"}, "Alpha"}, "beginning of an id": {admin.ClientQuery{ClientID: "client"}, ""},
				"type": {admin.ClientQuery{Type: accounts.SPAClient}, ""}, "page": {admin.ClientQuery{Limit: 1}, "Alpha"},
				"newest":          {admin.ClientQuery{Newest: true}, "alphabet Alpha beta"},
				"newest, enabled": {admin.ClientQuery{Newest: true, State: "enabled", Type: accounts.WebClient, Limit: 1}, "Alpha"},
				"newest, on":      {admin.ClientQuery{Newest: true, Before: clients[1].ID}, "beta"},
			} {
				if tt.q.Limit == 0 {
					tt.q.Limit = 10
				}
				found, err := d.ListedClients(ctx, tt.q)
				var names []string
				for _, c := range found {
					names = append(names, c.Name)
				}
				if got := strings.Join(names, " "); got != tt.want || err != nil {
					t.Errorf("%s: %q, want %q, %v", name, got, tt.want, err)
				}
			}
		})
		t.Run("clients by name or host", func(t *testing.T) { adminClientSearch(t, d) })
		t.Run("people", func(t *testing.T) { adminPeopleLists(t, d, people, clients) })
		t.Run("crowd", func(t *testing.T) { adminCrowd(t, d, people) })
		t.Run("ledger and figures", func(t *testing.T) { adminFigures(t, d) })
	})
}

// adminClientSearch: one text finds clients by their name and by their host, each once,
// in one order.
func adminClientSearch(t *testing.T, d *DB) {
	ctx := t.Context()
	must(t, d.InsertClient(ctx, &accounts.Client{
		ID: id.New(), ClientID: "client3", Name: "a.example board", Type: accounts.SPAClient, RedirectURIs: []string{"https://a.example/board"}, CreatedAt: 1,
	}))
	for name, tt := range map[string]struct {
		q    admin.ClientQuery
		want string
	}{
		"name alone":  {admin.ClientQuery{Prefix: "B"}, "client0"},
		"host alone":  {admin.ClientQuery{Prefix: "B.example"}, "client1"},
		"both":        {admin.ClientQuery{Prefix: "a.Example"}, "client3 client1 client0"},
		"page":        {admin.ClientQuery{Prefix: "a.example", Limit: 2}, "client3 client1"},
		"next page":   {admin.ClientQuery{Prefix: "a.example", After: admin.ClientKey{Name: "alpha", ClientID: "client1"}}, "client0"},
		"type":        {admin.ClientQuery{Prefix: "a.example", Type: accounts.SPAClient}, "client3"},
		"disabled":    {admin.ClientQuery{Prefix: "[::1]", State: "disabled"}, "client2"},
		"enabled":     {admin.ClientQuery{Prefix: "[::1]", State: "enabled"}, ""},
		"neither":     {admin.ClientQuery{Prefix: "example"}, ""},
		"all of them": {admin.ClientQuery{}, "client3 client1 client2 client0"},
	} {
		tt.q.OrHost = true
		if tt.q.Limit == 0 {
			tt.q.Limit = 10
		}
		found, err := d.ListedClients(ctx, tt.q)
		var ids []string
		for _, c := range found {
			ids = append(ids, c.ClientID)
		}
		if got := strings.Join(ids, " "); got != tt.want || err != nil {
			t.Errorf("%s: %q, want %q, %v", name, got, tt.want, err)
		}
	}
}

func adminPeopleLists(t *testing.T, d *DB, people []*accounts.User, clients []*accounts.Client) {
	ctx := t.Context()
	var sessions, grants []id.ID
	for i := range 4 {
		s := &accounts.Session{ID: id.New(), TokenHash: []byte{byte(i)}, UserID: people[i%2].ID, CreatedAt: 1, IdleEndsAt: 9, ExpiresAt: 9}
		must(t, d.InsertSession(ctx, s))
		sessions = append(sessions, s.ID)
		g := id.New()
		_, err := d.exec(ctx, `INSERT INTO grants (id, client_id, user_id, session_id, code_hash, challenge, offline, scopes, resources, claims, rev,
  auth_time, amr, acr, refresh_hash, refresh_idle_ends_at, refresh_expires_at, created_at, purge_at)
VALUES ($1, $2, $3, $4, $5, '', true, 'openid', '', '', 1, 1, '', '', $5, 20, 30, 1, 99)`, g, clients[i/2].ID, people[i%2].ID, s.ID, []byte("h"))
		must(t, err)
		grants = append(grants, g)
	}
	_, err := d.EndSessions(ctx, accounts.SessionFilter{SessionID: sessions[0]}, 2, "x")
	must(t, err)
	listed := func(q admin.SessionQuery) (ids []id.ID) {
		found, err := d.ListedSessions(ctx, q)
		must(t, err)
		for _, s := range found {
			ids = append(ids, s.ID)
		}
		return ids
	}
	for name, tt := range map[string]struct{ got, want []id.ID }{
		"all":                {listed(admin.SessionQuery{Limit: 9}), []id.ID{sessions[3], sessions[2], sessions[1]}},
		"page":               {listed(admin.SessionQuery{Limit: 1, Before: sessions[3]}), []id.ID{sessions[2]}},
		"oldest, of all":     {listed(admin.SessionQuery{Limit: 9, Oldest: true}), []id.ID{sessions[1], sessions[2], sessions[3]}},
		"oldest, a page":     {listed(admin.SessionQuery{Limit: 1, Oldest: true, After: sessions[1]}), []id.ID{sessions[2]}},
		"oldest, of one":     {listed(admin.SessionQuery{Limit: 1, Oldest: true, Subject: "sub-bob"}), []id.ID{sessions[1]}},
		"oldest, on, of one": {listed(admin.SessionQuery{Limit: 9, Oldest: true, Subject: "sub-bob", After: sessions[1]}), []id.ID{sessions[3]}},
		"ada's":              {listed(admin.SessionQuery{Limit: 9, Subject: "sub-ada"}), []id.ID{sessions[2]}},
		"one":                {listed(admin.SessionQuery{Limit: 1, ID: sessions[1]}), []id.ID{sessions[1]}},
		"ended":              {listed(admin.SessionQuery{Limit: 1, ID: sessions[0]}), nil},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("sessions, %s: %s", name, diff)
		}
	}
	granted := func(q admin.GrantQuery) (ids []id.ID) {
		found, err := d.ListedGrants(ctx, q)
		must(t, err)
		for _, g := range found {
			ids = append(ids, g.ID)
			if g.RefreshEndsAt != 20 || g.Username == "" || g.ClientName == "" {
				t.Errorf("grant: %+v", g)
			}
		}
		return ids
	}
	for name, tt := range map[string]struct{ got, want []id.ID }{
		"of a client": {granted(admin.GrantQuery{Limit: 9, ClientID: "client0"}), []id.ID{grants[1], grants[0]}},
		"page":        {granted(admin.GrantQuery{Limit: 9, ClientID: "client0", Before: grants[1]}), []id.ID{grants[0]}},
		"of a person": {granted(admin.GrantQuery{Limit: 9, Subject: "sub-bob"}), []id.ID{grants[3], grants[1]}},
		"of both":     {granted(admin.GrantQuery{Limit: 9, Subject: "sub-bob", ClientID: "client1"}), []id.ID{grants[3]}},
		"one":         {granted(admin.GrantQuery{Limit: 1, ID: grants[2]}), []id.ID{grants[2]}},
	} {
		if diff := cmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("grants, %s: %s", name, diff)
		}
	}
	if _, err := d.ListedGrants(ctx, admin.GrantQuery{Limit: 1}); err == nil {
		t.Error("all grants can be listed")
	}
	adminConsentLists(t, d, people, clients)
}

func adminConsentLists(t *testing.T, d *DB, people []*accounts.User, clients []*accounts.Client) {
	ctx := t.Context()
	for _, p := range people {
		for _, c := range clients {
			must(t, d.PutConsent(ctx, &accounts.Consent{UserID: p.ID, ClientID: c.ID, Scopes: []string{"openid"}, Asked: []string{"openid"}, GrantedAt: 1}))
		}
	}
	consented := func(q admin.ConsentQuery) (names []string) {
		found, err := d.ListedConsents(ctx, q)
		must(t, err)
		for _, k := range found {
			names = append(names, k.Username+" "+k.ClientID)
		}
		return names
	}
	check := func(name string, q admin.ConsentQuery, want ...string) {
		t.Helper()
		if diff := cmp.Diff(want, consented(q)); diff != "" {
			t.Errorf("consents, %s: %s", name, diff)
		}
	}
	check("of a client", admin.ConsentQuery{ClientID: "client0", Limit: 9}, "ada client0", "bob client0")
	check("page", admin.ConsentQuery{ClientID: "client0", After: people[0].ID, Limit: 9}, "bob client0")
	check("of a person", admin.ConsentQuery{Subject: "sub-ada", Limit: 2}, "ada client0", "ada client1")
	check("of both", admin.ConsentQuery{Subject: "sub-ada", ClientID: "client2", Limit: 2}, "ada client2")
	if n, err := d.RevokeConsents(ctx, clients[0].ID, 5); n != 2 || err != nil {
		t.Errorf("%d consents revoked, %v", n, err)
	}
	check("after they were taken back", admin.ConsentQuery{ClientID: "client0", Limit: 9})
	if _, err := d.ListedConsents(ctx, admin.ConsentQuery{Limit: 1}); err == nil {
		t.Error("all consents can be listed")
	}
}

func adminFigures(t *testing.T, d *DB) {
	ctx := t.Context()
	must(t, d.InTx(ctx, func(ctx context.Context) error {
		return d.Append(ctx, revocation.Entry{Kind: revocation.User, Key: "a", Reason: "x"}, revocation.Entry{Kind: revocation.Session, Key: "a", Reason: "x"})
	}))
	ledger := func(q admin.RevocationQuery) (kinds []string) {
		rows, err := d.ListedRevocations(ctx, q)
		must(t, err)
		for _, r := range rows {
			kinds = append(kinds, string(r.Kind))
		}
		return kinds
	}
	for want, q := range map[string]admin.RevocationQuery{
		"session user": {Limit: 9}, "session": {Limit: 1}, "user": {Limit: 9, Kind: revocation.User}, "": {Limit: 9, Key: "b"},
		"user session": {Limit: 9, Oldest: true}, "user ": {Limit: 1, Oldest: true, Key: "a"}, " session": {Limit: 9, Oldest: true, After: 1},
		" session ": {Limit: 9, Oldest: true, Key: "a", Kind: revocation.Session},
	} {
		if got := strings.Join(ledger(q), " "); got != strings.TrimSpace(want) {
			t.Errorf("%+v: %q, want %q", q, got, want)
		}
	}
	since := d.now() - 1000*60*60
	if n, err := d.NewGrants(ctx, since, 3); n != 3 || err != nil {
		t.Errorf("%d new grants, %v", n, err)
	}
	must(t, d.Enqueue(ctx, jobs.Job{Kind: "mail", RunAt: 5}, jobs.Job{Kind: "mail", RunAt: 4}, jobs.Job{Kind: "push", RunAt: 6}))
	queues, err := d.JobQueues(ctx, 10)
	if diff := cmp.Diff([]admin.Queue{{Kind: "mail", Waiting: 2, Oldest: 4}, {Kind: "push", Waiting: 1, Oldest: 6}}, queues); diff != "" || err != nil {
		t.Errorf("queues: %s, %v", diff, err)
	}
}
