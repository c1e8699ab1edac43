package accounts_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

// Made by Python's bcrypt and by Django, with small costs.
const (
	// bcryptOf is of "testpass123", PBKDF2 of the same.
	bcryptOf = "$2b$04$7Ejs0JeJ0HNNndK4jXHdseZv0xpiJe5jsnHrVITeGyEo9vbNiTG/K"
	djangoOf = "pbkdf2_sha256$1000$kKZRlabXbRed5KwvLQsjeJ$pBCrLN5MgsPqhxc9f287FAFRw3+Vn3bOT4ZZrRUloGw="
)

func (w *world) importer() *accounts.Import {
	return &accounts.Import{Journal: w.users.Journal, Users: w.users, Store: w.db}
}

// take imports a file and returns the count and the refused lines, as "line:
// reason".
func (w *world) take(file string, o accounts.ImportOptions) (accounts.ImportCount, []string) {
	w.t.Helper()
	var refused []string
	o.Refused = func(r accounts.ImportRefusal) error {
		refused = append(refused, fmt.Sprintf("%d: %s", r.Line, r.Reason))
		return nil
	}
	if o.Digest == "" {
		o.Digest = "d"
	}
	count, err := w.importer().Run(w.t.Context(), operator(), strings.NewReader(file), o)
	w.must(err)
	return count, refused
}

func TestImport(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) *world{
		"SQLite":     func(t *testing.T) *world { return newWorld(t) },
		"PostgreSQL": func(t *testing.T) *world { return newWorldOn(t, sqldbtest.Postgres(t)) },
	} {
		t.Run(name, func(t *testing.T) { testImport(t, open(t)) })
	}
}

func testImport(t *testing.T, w *world) {
	for _, g := range []string{"Editors", "readers"} {
		_, err := w.groups.Create(t.Context(), operator(), g, "")
		w.must(err)
	}
	before := w.position()
	file := "\ufeff" + strings.Join([]string{
		`{"sub":"django|1","username":"Ada","email":"Ada@Example.org","email_verified":true,"name":"Ada Lovelace","given_name":"Ada","birthdate":"1975-12-10","address":{"country":"UK"},"password_hash":"` + djangoOf + `","groups":["editors","Readers"],"staff":true,"created_at":"2019-05-17T08:30:00Z"}`,
		``,
		`{"username":"bob","password_hash":"` + bcryptOf + `"}`,
		`{"username":"carol","banned":true,"superuser":true}`,
		`   `,
		`{"username":"dora","email":"ada@example.org"}`,
	}, "\n")
	count, refused := w.take(file, accounts.ImportOptions{})
	if want := (accounts.ImportCount{Lines: 6, Created: 4}); count != want || len(refused) > 0 {
		t.Fatalf("%+v, %v", count, refused)
	}
	ada, err := w.users.Find(t.Context(), "ada@example.org")
	w.must(err)
	want := &accounts.User{
		ID: ada.ID, Subject: "django|1", Username: "Ada", UsernameKey: "ada", Email: "Ada@Example.org", EmailKey: "ada@example.org", EmailVerified: true,
		Name: "Ada Lovelace", Profile: accounts.Profile{GivenName: "Ada", Birthdate: "1975-12-10", Address: ada.Profile.Address}, Staff: true,
		PasswordHash: ada.PasswordHash, CreatedAt: 1558081800000, UpdatedAt: w.now().UnixMilli(),
	}
	if diff := cmp.Diff(want, ada); diff != "" || ada.Profile.Address == nil || ada.Profile.Address.Country != "UK" {
		t.Errorf("ada (-want +got):\n%s", diff)
	}
	groups, err := w.db.GroupsOf(t.Context(), ada.ID, w.now().UnixMilli())
	w.must(err)
	if !slices.Equal(groups, []string{"Editors", "readers"}) {
		t.Errorf("groups of ada: %q", groups)
	}
	carol, err := w.users.Find(t.Context(), "carol")
	w.must(err)
	if carol.Active() || !carol.Superuser || len(carol.Subject) != 22 || carol.CreatedAt != w.now().UnixMilli() {
		t.Errorf("carol: %+v", carol)
	}
	// One event for the batch, no row in the ledger, no secret anywhere.
	if events := w.events(1); events[0] != "user.import" || w.position() != before {
		t.Errorf("events %q, ledger from %d to %d", events, before, w.position())
	}
	tail, err := w.db.AuditTail(t.Context(), 1)
	w.must(err)
	if text := fmt.Sprint(tail); strings.Contains(text, djangoOf[20:]) || !strings.Contains(text, "superusers:1") {
		t.Errorf("event: %s", text)
	}
	// Once more: all are there, nothing happens.
	events := len(w.events(1000))
	count, refused = w.take(file, accounts.ImportOptions{})
	if want := (accounts.ImportCount{Lines: 6, Present: 4}); count != want || len(refused) > 0 || len(w.events(1000)) != events {
		t.Errorf("again: %+v, %v", count, refused)
	}
}

func TestImport_Refuses(t *testing.T) {
	for name, open := range map[string]func(t *testing.T) *world{
		"SQLite":     func(t *testing.T) *world { return newWorld(t) },
		"PostgreSQL": func(t *testing.T) *world { return newWorldOn(t, sqldbtest.Postgres(t)) },
	} {
		t.Run(name, func(t *testing.T) { testImportRefuses(t, open(t)) })
	}
}

func testImportRefuses(t *testing.T, w *world) {
	w.user("alice")
	app := w.client("App")
	gone := w.user("gone")
	w.must(w.users.Delete(t.Context(), operator(), gone.Subject))
	const secretly = "c2VjcmV0LXRoYXQtbXVzdC1ub3Qtc2hvdw"
	lines := []struct{ line, want string }{
		{`{"username":"alice"}`, "the username is taken by another account"}, // she has a mail address
		{`{"username":"ALICE","email":"alice@test.com","email_verified":true,"sub":"x"}`, "the username is taken by another account"},
		{`{"username":"a2","email":"Alice@Test.com","email_verified":true}`, "the mail address is verified for another account"},
		{`{"username":"a3","sub":"` + app.ClientID + `"}`, "the sub is that of somebody who was deleted, or the client_id of an app"},
		{`{"username":"a3","sub":"` + gone.Subject + `"}`, "the sub is that of somebody who was deleted, or the client_id of an app"},
		{`{"username":"a4","sub":"one"}`, ""},
		{`{"username":"a5","sub":"one"}`, "the sub is taken by another account"},
		{`{"username":"a4","sub":"two"}`, "the username is taken by another account"},
		{`not JSON ` + secretly, "not JSON"},
		{`{"username":"a6"`, "not JSON"},
		{`{"username":"a6"} {"username":"a7"}`, "something behind the JSON object"},
		{`["a6"]`, `"" is not of the type accounts.importLine`},
		{`{"username":6}`, `"username" is not of the type string`},
		{`{"user":"a6"}`, `unknown field "user"`},
		{`{"username":""}`, "username: a name has at least one character"},
		{`{"username":"a@b"}`, "username: a username holds no @"},
		{"{\"username\":\"a\xff\"}", "not UTF-8"},
		{`{"username":"a6","email":"x"}`, "mail address: not one plain mail address"},
		{`{"username":"a6","email_verified":true}`, "a verified mail address that is empty"},
		{`{"username":"a6","sub":"with space"}`, "sub: at most 255 printable ASCII characters without spaces"},
		{`{"username":"a6","password_hash":"md5$` + secretly + `"}`, "password hash: not of a form that can be checked"},
		{`{"username":"a6","password_hash":"pbkdf2_sha256$1000000000$salt$` + secretly + `wxyzwA="}`, ""},
		{`{"username":"a6","password_hash":"` + bcryptOf + `","credential":{"type":"password"}}`, "both password_hash and credential"},
		{`{"username":"a6","credential":{"type":"otp"}}`, "credential: of another type than password"},
		{`{"username":"a6","groups":["nobodies"]}`, `there is no group "nobodies"`},
		{`{"username":"a6","created_at":"2099-01-01T00:00:00Z"}`, "created_at: not a time in the past such as 2019-05-17T08:30:00Z"},
		{`{"username":"a6","created_at":"yesterday"}`, "created_at: not a time in the past such as 2019-05-17T08:30:00Z"},
		{`{"username":"a6","website":"javascript:alert(1)"}`, "invalid profile: website: url"},
		{`{"username":"a6","picture":"http://x"}`, "invalid profile: picture: url"},
		{`{"username":"a6","phone_number_verified":true}`, "phone_number_verified without phone_number"},
		{`{"username":"a6","nickname":"` + strings.Repeat("x", 70_000) + `"}`, "longer than 65536 bytes"},
		{`{"username":"a6"}`, ""},
	}
	var file strings.Builder
	var want []string
	for i, l := range lines {
		file.WriteString(l.line + "\n")
		if l.want != "" {
			want = append(want, fmt.Sprintf("%d: %s", i+1, l.want))
		}
	}
	tooDear := slices.IndexFunc(lines, func(l struct{ line, want string }) bool { return strings.Contains(l.line, "$1000000000$") })
	count, refused := w.take(file.String(), accounts.ImportOptions{})
	refused = slices.DeleteFunc(refused, func(r string) bool {
		if strings.Contains(r, secretly) {
			t.Errorf("a secret in the report: %s", r)
		}
		return strings.HasPrefix(r, fmt.Sprintf("%d: ", tooDear+1))
	})
	if diff := cmp.Diff(want, refused); diff != "" {
		t.Errorf("refused (-want +got):\n%s", diff)
	}
	if wanted := (accounts.ImportCount{Lines: int64(len(lines)), Created: 2, Refused: int64(len(want) + 1)}); count != wanted {
		t.Errorf("%+v, want %+v", count, wanted)
	}
}

// A dry run writes nothing and refuses what a run would.
func TestImport_DryRun(t *testing.T) {
	w := newWorld(t)
	w.user("alice")
	var file strings.Builder
	for i := range 1200 {
		_, _ = fmt.Fprintf(&file, `{"username":"u%d","email":"u%d@example.org","email_verified":true}`+"\n", i%1100, i%1100)
	}
	file.WriteString(`{"username":"alice"}` + "\n")
	events := len(w.events(1000))
	count, refused := w.take(file.String(), accounts.ImportOptions{DryRun: true})
	if count.Lines != 1201 || count.Created != 1100 || len(refused) != int(count.Refused) || count.Refused+count.Present != 101 {
		t.Errorf("%+v, %d refused", count, len(refused))
	}
	if _, err := w.users.Find(t.Context(), "u1"); !errors.Is(err, accounts.ErrNotFound) || len(w.events(1000)) != events {
		t.Errorf("a dry run made somebody: %v", err)
	}
	if got, err := w.importer().ImportProgress(t.Context(), "d"); err != nil || got != (accounts.ImportCount{}) {
		t.Errorf("progress %+v, %v", got, err)
	}
}

// cutOff fails after some bytes, as a process that is killed does.
type cutOff struct {
	io.Reader
	left int
}

func (c *cutOff) Read(p []byte) (int, error) {
	if c.left <= 0 {
		return 0, errors.New("cut off")
	}
	n, err := c.Reader.Read(p[:min(len(p), c.left)])
	c.left -= n
	return n, err
}

// A run that was cut off goes on behind the last line that was committed, and ends
// with what one run would have ended with.
func TestImport_Resumes(t *testing.T) {
	w := newWorld(t)
	var file bytes.Buffer
	for i := range 2200 {
		if i%10 == 3 {
			file.WriteString("{}\n")
			continue
		}
		_, _ = fmt.Fprintf(&file, `{"username":"user-%d"}`+"\n", i)
	}
	reported := map[int64]int{}
	o := accounts.ImportOptions{Digest: "abc", Resume: true, Refused: func(r accounts.ImportRefusal) error {
		reported[r.Line]++
		return nil
	}}
	whole := file.Bytes()
	var count accounts.ImportCount
	for _, bytesRead := range []int{20_000, 25_000, len(whole)} {
		var err error
		var last accounts.ImportCount
		o.Progress = func(c accounts.ImportCount) { last = c }
		count, err = w.importer().Run(t.Context(), operator(), &cutOff{bytes.NewReader(whole), bytesRead + 1}, o)
		if cut := bytesRead < len(whole); (err != nil) != cut {
			t.Fatalf("after %d bytes: %v", bytesRead, err)
		}
		kept, err := w.importer().ImportProgress(t.Context(), "abc")
		if err != nil || kept != count || (last != count && last != (accounts.ImportCount{})) {
			t.Errorf("after %d bytes: kept %+v, told %+v, returned %+v, %v", bytesRead, kept, last, count, err)
		}
	}
	if want := (accounts.ImportCount{Lines: 2200, Created: 1980, Refused: 220}); count != want || len(reported) != 220 {
		t.Errorf("%+v, %d reported", count, len(reported))
	}
	for line, times := range reported {
		if times != 1 {
			t.Errorf("line %d was reported %d times", line, times)
		}
	}
	// Another file begins at its beginning.
	if got, err := w.importer().ImportProgress(t.Context(), "abd"); err != nil || got.Lines != 0 {
		t.Errorf("another file: %+v, %v", got, err)
	}
}

// A report that cannot be written stops the batch before it is committed.
func TestImport_ReportFirst(t *testing.T) {
	w := newWorld(t)
	full := errors.New("disk full")
	_, err := w.importer().Run(t.Context(), operator(), strings.NewReader(`{"username":"a"}`+"\n{}\n"), accounts.ImportOptions{
		Refused: func(accounts.ImportRefusal) error { return full },
	})
	if _, missing := w.users.Find(t.Context(), "a"); !errors.Is(err, full) || !errors.Is(missing, accounts.ErrNotFound) {
		t.Errorf("%v, %v", err, missing)
	}
}

// Whoever was imported signs in with the old password, and from then on has our
// hash.
func TestImport_SignIn(t *testing.T) {
	w := newWorld(t)
	w.argon()
	_, refused := w.take(`{"username":"ada","password_hash":"`+djangoOf+`"}
{"username":"bob","password_hash":"`+bcryptOf+`"}
{"username":"eve","banned":true,"password_hash":"`+bcryptOf+`"}`, accounts.ImportOptions{})
	if len(refused) > 0 {
		t.Fatal(refused)
	}
	for _, name := range []string{"ada", "bob"} {
		if _, err := w.attempt(name, "wrong", "192.0.2.1"); !errors.Is(err, accounts.ErrCredentials) {
			t.Errorf("%s, wrong: %v", name, err)
		}
		for range 2 {
			r, err := w.attempt(name, password, "192.0.2.1")
			w.must(err)
			_, _, err = w.sessions.Start(t.Context(), r, accounts.Meta{})
			w.must(err)
			u, err := w.users.Find(t.Context(), name)
			w.must(err)
			if !strings.HasPrefix(u.PasswordHash, "$argon2id$v=19$m=19456,t=2,p=1$") {
				t.Errorf("%s has %.20s", name, u.PasswordHash)
			}
		}
	}
	if _, err := w.attempt("eve", password, "192.0.2.1"); !errors.Is(err, accounts.ErrBanned) {
		t.Errorf("banned: %v", err)
	}
}

// crowd is a file with n users, made while it is read.
func crowd(n int) io.Reader {
	r, out := io.Pipe()
	go func() {
		b := bytes.NewBuffer(nil)
		for i := range n {
			_, _ = fmt.Fprintf(b, `{"sub":"old|%d","username":"user%d","email":"user%d@example.org","email_verified":true,"name":"User %d","given_name":"User","locale":"de","password_hash":%q,"groups":["crowd"],"created_at":"2019-05-17T08:30:00Z"}`+"\n", i, i, i, i, djangoOf)
			if b.Len() > 1<<16 || i == n-1 {
				if _, err := out.Write(b.Bytes()); err != nil {
					return
				}
				b.Reset()
			}
		}
		_ = out.Close() // always nil
	}()
	return r
}

func long() bool { return os.Getenv("GATEHOUSE_TEST_LONG") != "" }

func TestImport_Crowd(t *testing.T) {
	n := 2_000
	if long() {
		n = 1_000_000
	}
	for name, open := range map[string]func(t *testing.T) *world{
		"SQLite":     func(t *testing.T) *world { return newWorld(t) },
		"PostgreSQL": func(t *testing.T) *world { return newWorldOn(t, sqldbtest.Postgres(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			w := open(t)
			_, err := w.groups.Create(t.Context(), operator(), "crowd", "")
			w.must(err)
			count, err := w.importer().Run(t.Context(), operator(), crowd(n), accounts.ImportOptions{Digest: "crowd"})
			w.must(err)
			if want := (accounts.ImportCount{Lines: int64(n), Created: int64(n)}); count != want {
				t.Errorf("%+v", count)
			}
			members := 0
			for after, more := (id.ID{}), true; more; {
				page, err := w.groups.MemberPage(t.Context(), "crowd", after, accounts.MaxPage)
				w.must(err)
				if members, more = members+len(page), len(page) == accounts.MaxPage; more {
					after = page[len(page)-1].UserID
				}
			}
			if g, err := w.db.ListGroups(t.Context()); members != n || err != nil || g[0].Count() != "more than 1000" {
				t.Errorf("%d members, counted %q, %v", members, g[0].Count(), err)
			}
			r, err := w.attempt(fmt.Sprintf("user%d@example.org", n-1), password, "192.0.2.1")
			w.must(err)
			_, _, err = w.sessions.Start(t.Context(), r, accounts.Meta{})
			w.must(err)
		})
	}
}

// Sign-in finds one row by an index and hashes once: among many who were imported it
// costs what it costs among few.
func BenchmarkSignInAfterImport(b *testing.B) {
	sizes := []int{0, 20_000}
	if long() {
		sizes = append(sizes, 1_000_000)
	}
	for _, n := range sizes {
		b.Run(fmt.Sprintf("users=%d", n), func(b *testing.B) {
			w := newWorld(b)
			w.argon()
			_, err := w.groups.Create(b.Context(), operator(), "crowd", "")
			w.must(err)
			w.person("alice")
			if n > 0 {
				_, err = w.importer().Run(b.Context(), operator(), crowd(n), accounts.ImportOptions{})
				w.must(err)
			}
			b.ResetTimer()
			for b.Loop() {
				r, err := w.attempt("alice", password, "192.0.2.1")
				w.must(err)
				_, _, err = w.sessions.Start(b.Context(), r, accounts.Meta{})
				w.must(err)
			}
		})
	}
}

// Whatever stands in a line, it makes one account, is there already, or is refused.
func FuzzImport(f *testing.F) {
	f.Add([]byte(`{"sub":"a","username":"b","email":"c@d.ef","email_verified":true,"profile":"https://x.yz","groups":["g"],"address":{"country":"x"}}`))
	f.Add([]byte("{}\n\n\r\n{\"username\":\"\u0000\"}"))
	f.Add([]byte(`{"username":"a","credential":{"type":"password","secretData":"{}","credentialData":"{}"}}`))
	w := newWorld(f)
	f.Fuzz(func(t *testing.T, file []byte) {
		var refused int64
		count, err := w.importer().Run(context.Background(), operator(), bytes.NewReader(file), accounts.ImportOptions{
			DryRun: true,
			Refused: func(r accounts.ImportRefusal) error {
				refused++
				if _, err := json.Marshal(r); err != nil || r.Reason == "" || len(r.Reason) > 1000 {
					t.Errorf("refused with %q, %v", r.Reason, err)
				}
				return nil
			},
		})
		if err != nil || refused != count.Refused || count.Created+count.Present+count.Refused > count.Lines {
			t.Fatalf("%+v, %d refused, %v", count, refused, err)
		}
	})
}
