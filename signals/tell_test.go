package signals_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/signals"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

// TestCauses: what the domain does is told as CAEP and RISC say, on both databases.
func TestCauses(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) { testCauses(t, newWorld(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { testCauses(t, newWorldOn(t, sqldbtest.Postgres(t))) })
}

func testCauses(t *testing.T, w *world) {
	ctx := t.Context()
	me := w.client()
	streamID := w.stream(me, "", "")
	u, admin := w.user("alice"), operator()
	w.add(me, streamID, issSub(u))
	_, err := w.groups.Create(ctx, admin, "Editors", "")
	w.must(err)
	w.must(w.groups.AddMember(ctx, admin, "Editors", u.Subject, 0))
	sid := w.session(u)
	w.relay()
	w.poll(me, streamID)
	for _, c := range append(w.lesserCauses(u, sid), w.accountCauses(u)...) {
		w.must(c.do())
		w.relay()
		var got []told
		txns := map[string]bool{}
		for _, s := range w.poll(me, streamID) {
			got = append(got, told{s.typ, s.sub, s.body})
			txns[s.txn] = true
			if toe := s.claims["toe"]; toe != float64(w.now().Unix()) {
				t.Errorf("%s: toe is %v", c.name, toe)
			}
		}
		if diff := cmp.Diff(c.want(), got); diff != "" || len(txns) != 1 {
			t.Errorf("%s: %d transactions\n%s", c.name, len(txns), diff)
		}
	}
}

// told is an event as a receiver sees it, and causing what brings it about.
type told struct {
	Type string
	Sub  any
	Body map[string]any
}

type causing struct {
	name string
	do   func() error
	want func() []told
}

// because is the body of CAEP's events, with further members by name and value.
func (w *world) because(by, reason string, more ...any) map[string]any {
	body := map[string]any{"event_timestamp": float64(w.now().Unix()), "reason_admin": map[string]any{"en": reason}}
	if by != "" {
		body["initiating_entity"] = by
	}
	for i := 0; i < len(more); i += 2 {
		body[more[i].(string)] = more[i+1]
	}
	return body
}

func (w *world) lesserCauses(u *accounts.User, sid string) []causing {
	ctx, admin := w.t.Context(), operator()
	signOut := func() error {
		s, err := id.Parse(sid)
		w.must(err)
		return w.sessions.SignOut(ctx, admin, u.Subject, s)
	}
	ownPassword := func() error {
		head, err := w.db.Head(ctx)
		w.must(err)
		fresh, err := w.db.UserBySubject(ctx, u.Subject)
		w.must(err)
		proof := &accounts.Result{User: fresh, Position: head.Position}
		return w.users.ChangePassword(ctx, admin, proof, secret.Text("a change that is long"), id.ID{})
	}
	return []causing{
		{"signed out", signOut, func() []told {
			return []told{{caep + "session-revoked", complexOf(u, sid), w.because("user", "The person signed out")}}
		}},
		{"own password", ownPassword, func() []told {
			body := w.because("user", "The person changed their password", "credential_type", "password", "change_type", "update")
			return []told{{caep + "credential-change", issSub(u), body}}
		}},
		{"membership", func() error { return w.groups.RemoveMember(ctx, admin, "Editors", u.Subject) }, func() []told {
			head, err := w.db.Head(ctx)
			w.must(err)
			body := w.because("admin", "The person was taken out of a group", "claims", map[string]any{"rev": float64(head.Position)})
			return []told{{caep + "token-claims-change", issSub(u), body}}
		}},
	}
}

func (w *world) accountCauses(u *accounts.User) []causing {
	ctx, admin, sub := w.t.Context(), operator(), issSub(u)
	revoked := func(by, reason string) told { return told{caep + "session-revoked", sub, w.because(by, reason)} }
	return []causing{
		{"password reset", func() error { return w.users.SetPassword(ctx, admin, u.Subject, "a reset that is long") }, func() []told {
			const reason = "The password was reset"
			body := w.because("", reason, "credential_type", "password", "change_type", "update")
			return []told{revoked("", reason), {caep + "credential-change", sub, body}}
		}},
		{"everywhere", func() error { return w.users.SignOutEverywhere(ctx, admin, u.Subject) }, func() []told {
			return []told{revoked("", "Every session of the person was ended")}
		}},
		{"ban", func() error { return w.users.Ban(ctx, admin, u.Subject) }, func() []told {
			return []told{revoked("admin", "The account was disabled"), {risc + "account-disabled", sub, map[string]any{}}}
		}},
		{"unban", func() error { return w.users.Unban(ctx, admin, u.Subject) }, func() []told {
			return []told{{risc + "account-enabled", sub, map[string]any{}}}
		}},
		{"deletion", func() error { return w.users.Delete(ctx, admin, u.Subject) }, func() []told {
			return []told{revoked("", "The account was deleted"), {risc + "account-purged", sub, map[string]any{}}}
		}},
	}
}

// TestWho: who hears what.
func TestWho(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	resource := w.posts()
	alice, bob := w.user("alice"), w.user("bob")
	w.must(w.groups.AddMember(ctx, operator(), "Editors", alice.Subject, 0))
	first, second := w.session(alice), w.session(alice)
	none, named, narrow, every, spared := w.client(), w.client(), w.client(), w.client(accounts.PermissionSignalsAll), w.client(accounts.PermissionSignalsAll)
	streams := map[string]string{}
	for _, c := range []string{none, named, narrow, every, spared, resource} {
		streams[c] = w.stream(c, "", "")
	}
	w.add(named, streams[named], issSub(alice))
	w.add(narrow, streams[narrow], complexOf(alice, first))
	w.remove(spared, streams[spared], issSub(alice))

	check := func(what string, want map[string][]string) {
		t.Helper()
		w.relay()
		got := map[string][]string{}
		for c, stream := range streams {
			if list := types(w.poll(c, stream)); len(list) > 0 {
				got[c] = list
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", what, diff)
		}
	}
	end := func(sid string) {
		s, err := id.Parse(sid)
		w.must(err)
		w.must(w.sessions.End(ctx, operator(), alice.Subject, s))
	}
	one := []string{"session-revoked"}
	end(second)
	check("another session than the one that was named", map[string][]string{named: one, every: one})
	end(first)
	check("the session that was named", map[string][]string{named: one, narrow: one, every: one})
	w.must(w.users.SignOutEverywhere(ctx, operator(), alice.Subject))
	check("all sessions", map[string][]string{named: one, narrow: one, every: one})
	w.must(w.users.SignOutEverywhere(ctx, operator(), bob.Subject))
	check("somebody nobody named", map[string][]string{every: one, spared: one})
	w.must(w.groups.RevokePermission(ctx, operator(), "Editors", "posts:add"))
	change := []string{"token-claims-change"}
	check("a permission", map[string][]string{every: change, spared: change, resource: change})

	w.remove(named, streams[named], issSub(alice))
	w.add(spared, streams[spared], issSub(alice))
	w.must(w.clients.Update(ctx, operator(), every, func(c *accounts.Client) error {
		c.Permissions = []string{accounts.PermissionSignalsManage}
		return nil
	}))
	w.must(w.users.SignOutEverywhere(ctx, operator(), alice.Subject))
	check("after changes", map[string][]string{narrow: one, spared: one})
	w.must(w.clients.Disable(ctx, operator(), spared))
	delete(streams, spared) // its token would be dead as well
	w.must(w.users.SignOutEverywhere(ctx, operator(), alice.Subject))
	check("a client that was disabled", map[string][]string{narrow: one})
}

// posts makes an API whose permission editors hold, and whose resource server is a
// receiver.
func (w *world) posts() (clientID string) {
	w.t.Helper()
	ctx := w.t.Context()
	_, resource, _, err := w.apis.Create(ctx, operator(), accounts.NewAPI{
		Audience: "https://posts.example", Name: "Posts",
		Permissions: []accounts.NewPermission{{Name: "posts:add", Description: "Can add post"}},
	})
	w.must(err)
	w.must(w.clients.Update(ctx, operator(), resource.ClientID, func(c *accounts.Client) error {
		c.Permissions = append(c.Permissions, accounts.PermissionSignalsManage)
		return nil
	}))
	_, err = w.groups.Create(ctx, operator(), "Editors", "")
	w.must(err)
	w.must(w.groups.GrantPermission(ctx, operator(), "Editors", "posts:add"))
	return resource.ClientID
}

func (w *world) remove(as, stream string, subject map[string]any) {
	w.t.Helper()
	body := fmt.Sprintf(`{"stream_id":%q,"subject":{"format":"iss_sub","iss":%q,"sub":%q}}`, stream, subject["iss"], subject["sub"])
	if status, text := w.raw(as, "POST", "/signals/subjects/remove", body); status != 204 {
		w.t.Fatalf("remove: %d %s", status, text)
	}
}

// TestExpand_Twice: rows that come again, as after a crash, are told once.
func TestExpand_Twice(t *testing.T) {
	w := newWorld(t)
	me := w.client()
	streamID := w.stream(me, "", "")
	u := w.user("alice")
	w.add(me, streamID, issSub(u))
	w.must(w.users.Ban(t.Context(), operator(), u.Subject))
	rows, err := w.db.After(t.Context(), 0, 100)
	w.must(err)
	w.expand(rows)
	w.pass(time.Second)
	w.expand(rows)
	if got := types(w.poll(me, streamID)); !slices.Equal(got, []string{"session-revoked", "account-disabled"}) {
		t.Errorf("told %v", got)
	}
}

// TestSignal_Twice: a job that is done again tells nothing new.
func TestSignal_Twice(t *testing.T) {
	w := newWorld(t)
	me := w.client()
	streamID := w.stream(me, "", "")
	u := w.user("alice")
	w.add(me, streamID, issSub(u))
	w.must(w.users.Ban(t.Context(), operator(), u.Subject))
	w.must(w.users.Unban(t.Context(), operator(), u.Subject))
	w.passOn()
	w.poll(me, streamID)
	job := w.takeJob()
	for range 2 {
		w.must(w.tr.Work()[signals.KindSignal].Handler.Handle(t.Context(), job))
	}
	if got := types(w.poll(me, streamID)); !slices.Equal(got, []string{"account-enabled"}) {
		t.Errorf("told %v", got)
	}
	job.Payload = `{"Kind":"of a later release"}`
	if err := w.tr.Work()[signals.KindSignal].Handler.Handle(t.Context(), job); err == nil {
		t.Error("an unknown signal was dropped")
	}
}

// TestRows: which kinds of rows are told, and that none is forgotten when one is
// added.
func TestRows(t *testing.T) {
	want := map[revocation.Kind]int{
		revocation.Session: 1, revocation.User: 1, revocation.Membership: 1, revocation.Permission: 1,
		revocation.Token: 0, revocation.Grant: 0, revocation.Client: 0, revocation.Key: 0, revocation.All: 0,
	}
	for _, kind := range revocation.Kinds() {
		n, ok := want[kind]
		if got := signals.Tells(revocation.Row{Kind: kind, Key: "k", Audience: "https://api.example"}); !ok || got != n {
			t.Errorf("%s: %d events", kind, got)
		}
	}
	if signals.Tells(revocation.Row{Kind: revocation.Session}) != 0 {
		t.Error("a stamp was told")
	}
}

// TestExpand_ForgetsTheDeleted: a receiver is told that a person was deleted, and
// after that no list holds them.
func TestExpand_ForgetsTheDeleted(t *testing.T) {
	w := newWorld(t)
	me := w.client()
	streamID := w.stream(me, "", "")
	gone, stays := w.user("gone"), w.user("stays")
	w.add(me, streamID, issSub(gone))
	w.add(me, streamID, complexOf(gone, w.session(gone)))
	w.add(me, streamID, issSub(stays))
	w.must(w.users.Delete(t.Context(), operator(), gone.Subject))
	w.must(w.users.Ban(t.Context(), operator(), stays.Subject))
	w.relay()
	if got := types(w.poll(me, streamID)); !equal(got, "session-revoked", "account-purged", "session-revoked", "account-disabled") {
		t.Errorf("told %v", got)
	}
	listed, err := w.db.ListedSubjects(t.Context(), []string{gone.Subject, stays.Subject})
	w.must(err)
	if len(listed) != 1 || listed[0].Sub != stays.Subject {
		t.Errorf("the lists hold %v", listed)
	}
}
