package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/resource"
	"github.com/gatehouse-id/gatehouse/revocation/feed"
)

// follow starts a resource server of the API and waits until it has reported.
func follow(t *testing.T, environ []string, instance string, made apiAnswer) *resource.Verifier {
	t.Helper()
	v, err := resource.New(resource.Config{
		Issuer: setting(environ, "GATEHOUSE_ISSUER"), Audience: made.Audience,
		ClientID: made.ClientID, ClientSecret: made.ClientSecret, Instance: instance,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	if err := v.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	awaitReport(t, environ, made.Audience)
	return v
}

// awaitReport waits until an instance of the API has reported, which is a second or
// two after its start.
func awaitReport(t *testing.T, environ []string, audience string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		list := decodeList(t, listed(t, environ, 0, true))
		if slices.ContainsFunc(list.Followers, func(f followerAnswer) bool { return f.Audience == audience }) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s has not reported: %+v", audience, list)
		}
	}
}

// decode runs a command with --json and reads its answer.
func decode[T any](t *testing.T, environ []string, stdin string, args ...string) T {
	t.Helper()
	code, out, errs := run(t, environ, stdin, append(args, "--json")...)
	var answer T
	if err := json.Unmarshal([]byte(out), &answer); code != 0 || err != nil {
		t.Fatalf("gatehouse %s: exit code %d, %v\n%s%s", strings.Join(args, " "), code, err, out, errs)
	}
	return answer
}

// machineToken gets an access token for the API.
func machineToken(t *testing.T, environ []string, id, secret string) string {
	t.Helper()
	issuer := setting(environ, "GATEHOUSE_ISSUER")
	status, body := clientCredentials(t, mustURL(t, issuer).Host, issuer, id, secret)
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || status != http.StatusOK {
		t.Fatalf("%d %s", status, body)
	}
	return answer.Token
}

// listed is what the list of followers is at another time.
func listed(t *testing.T, environ []string, after time.Duration, asJSON bool) string {
	t.Helper()
	var out bytes.Buffer
	c := &call{
		ctx: t.Context(), environ: environ, stdin: strings.NewReader(""), stdout: &out, stderr: io.Discard, json: asJSON,
		now: func() time.Time { return time.Now().Add(after) },
	}
	if err := (followerList{}).Run(c); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// diagnosed is what the doctor says at another time; what else it finds is not
// looked at here.
func diagnosed(t *testing.T, environ []string, after time.Duration) string {
	t.Helper()
	var out bytes.Buffer
	c := &call{
		ctx: t.Context(), environ: environ, stdin: strings.NewReader(""), stdout: &out, stderr: io.Discard,
		now: func() time.Time { return time.Now().Add(after) },
	}
	_ = c.run([]string{"doctor"})
	return out.String()
}

// TestReceipts takes a token back while two instances of its API follow.
//
// Most of the time it waits for reports, so both deployments are tried at once.
func TestReceipts(t *testing.T) {
	t.Run("SQLite", func(t *testing.T) {
		t.Parallel()
		receiptsOf(t, serveEnviron(t))
	})
	t.Run("PostgreSQL and Redis", func(t *testing.T) {
		t.Parallel()
		receiptsOf(t, append(serveEnviron(t), "GATEHOUSE_DATABASE_URL="+testenv.Postgres(t),
			"GATEHOUSE_REDIS_URL="+testenv.Redis(t), "GATEHOUSE_SECRET="+strings.Repeat("k", 40)))
	})
}

func receiptsOf(t *testing.T, environ []string) {
	server := start(t, environ, serving, "serve")
	made := decode[apiAnswer](t, environ, "", "api", "create", "--audience", "https://posts.example.com", "--name", "Posts",
		"--permission", "posts:add=Add posts")
	other := decode[apiAnswer](t, environ, "", "api", "create", "--audience", "https://mail.example.com", "--name", "Mail")
	robot := decode[credentialsAnswer](t, environ, "", "client", "create", "--name", "Robot", "--type", "machine", "--scope", "posts:add")
	if out := listed(t, environ, 0, false); out != "No resource server has reported lately that it follows.\n" {
		t.Errorf("before anybody follows:\n%s", out)
	}
	posts := follow(t, environ, "posts-1", made)
	follow(t, environ, "mail-1", other)

	raw := machineToken(t, environ, robot.ID, robot.Secret)
	token, err := posts.Verify(t.Context(), raw)
	if err != nil {
		t.Fatal(err)
	}
	e := decode[explanation](t, environ, raw+"\n", "revoke", "token", "--explain")
	if e.Kind != "token" || e.Key != token.ID || e.Reason != "token-revoked" || e.Audience != made.Audience || e.Position == 0 {
		t.Errorf("%+v", e)
	}
	if len(e.Events) != 1 || e.Events[0].Action != "token.revoke" {
		t.Errorf("events %+v", e.Events)
	}
	// It does not concern the other API (L3).
	wantReceipts(t, e, "posts-1")
	if _, err := posts.Verify(t.Context(), raw); !errors.Is(err, resource.ErrRevoked) {
		t.Errorf("acknowledged, and the token: %v", err)
	}
	for _, args := range [][]string{{"--token-id", token.ID}, {"--position", fmt.Sprint(e.Position)}} {
		again := decode[explanation](t, environ, "", append([]string{"revoke", "explain"}, args...)...)
		if again.Position != e.Position || len(again.Followers) != 1 || again.Followers[0].AcknowledgedAt != e.Followers[0].AcknowledgedAt {
			t.Errorf("%s: %+v", args, again)
		}
	}
	code, out, errs := run(t, environ, raw, "revoke", "token", "--explain")
	if code != 0 || !strings.Contains(out, "posts-1") || !strings.Contains(out, "HAS IT SINCE") {
		t.Errorf("once more, as text: %d\n%s%s", code, out, errs)
	}
	all := decode[explanation](t, environ, "", "revoke", "all", "--explain", "--reason", "drill")
	wantReceipts(t, all, "mail-1", "posts-1")
	if again := decode[explanation](t, environ, "", "revoke", "explain", "--all"); again.Position != all.Position {
		t.Errorf("%+v", again)
	}

	list := decodeList(t, listed(t, environ, 0, true))
	if list.Head < all.Position || len(list.Followers) != 2 {
		t.Fatalf("%+v", list)
	}
	for _, f := range list.Followers {
		if f.State != "fresh" || f.Position < all.Position || f.Since == "" || f.ReportedAt == "" || f.LagMS > 10_000 {
			t.Errorf("%+v", f)
		}
	}
	wantLines(t, diagnosed(t, environ, 0), `(?m)^ok +followers: 2 reported lately`, `(?m)^ok +messages: 2 kinds`)
	if code := server.end(t); code != 0 {
		t.Errorf("exit code %d\n%s", code, server.stderr)
	}
	mustRun(t, environ, "revoke", "all")
	wantLines(t, diagnosed(t, environ, 3*time.Minute),
		`(?m)^warning +followers: 2 of 2 have not reported lately: https://mail.example.com mail-1\.\w+, https://posts.example.com posts-1\.\w+$`,
		`(?m)^warning +messages: 2 of 2 are more than 10 seconds behind the ledger: backchannel-logout, signals$`)
	wantLines(t, listed(t, environ, 3*time.Minute, false), `(?m) mail-1\.\w+ +silent `, `(?m) posts-1\.\w+ +silent `, `(?m)^The ledger is at position \d+\.$`)
	wantLines(t, listed(t, environ, 11*time.Minute, false), `^No resource server`)
}

type credentialsAnswer struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

type listAnswer struct {
	Head      int64            `json:"head"`
	Followers []followerAnswer `json:"followers"`
}

func decodeList(t *testing.T, text string) listAnswer {
	t.Helper()
	var list listAnswer
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return list
}

// wantReceipts expects these instances, in order of their audiences, and that
// each has acknowledged.
func wantReceipts(t *testing.T, e explanation, instances ...string) {
	t.Helper()
	var got []string
	for _, f := range e.Followers {
		name, _, _ := strings.Cut(f.Instance, ".") // what follows it is this process's own
		got = append(got, name)
		if f.AcknowledgedAt == "" || f.State != "fresh" || f.AfterMS < 0 || f.AfterMS > explainAtLeast.Milliseconds() {
			t.Errorf("%+v", f)
		}
	}
	if !slices.Equal(got, instances) {
		t.Errorf("receipts of %s, want %s", got, instances)
	}
}

func wantLines(t *testing.T, text string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile(p).MatchString(text) {
			t.Errorf("no line %s in\n%s", p, text)
		}
	}
}

// TestRevokeSession ends a person's session, and then everything, while they use
// the demo.
func TestRevokeSession(t *testing.T) {
	environ := devEnviron(t, filepath.Join(t.TempDir(), "data"))
	start(t, environ, "\nready\n", "dev")
	awaitReport(t, environ, "http://localhost:"+setting(environ, "GATEHOUSE_DEMO_API_PORT"))
	b := newBrowser(t)
	b.signIn(t, environ, "regular_user")
	sessions := decode[struct {
		Sessions []sessionAnswer `json:"sessions"`
	}](t, environ, "", "session", "list", "--user", "regular_user").Sessions
	if len(sessions) != 1 {
		t.Fatalf("%+v", sessions)
	}
	sid := sessions[0].ID
	e := decode[explanation](t, environ, "", "revoke", "session", "--session="+sid, "--explain")
	if e.Kind != "session" || e.Key != sid || len(e.Events) != 1 || e.Events[0].Action != "session.end" || len(e.Followers) != 1 {
		t.Errorf("%+v", e)
	}
	for _, f := range e.Followers {
		if f.AcknowledgedAt == "" {
			t.Errorf("the demo API has not acknowledged: %+v", f)
		}
	}
	if code, _, errs := run(t, environ, "", "revoke", "session", "--session="+sid); code == 0 || !strings.Contains(errs, "no live session") {
		t.Errorf("ended twice: %d %s", code, errs)
	}
	// The app has consent to go on without the session; it has not beyond this.
	form := b.get(appURL(environ) + "/posts/new")
	everything := decode[explanation](t, environ, "", "revoke", "user", "--user", "regular_user", "--explain")
	if everything.Kind != "user" || everything.open() > 0 || len(everything.Followers) != 1 {
		t.Errorf("%+v", everything)
	}
	if p := form.submit("/posts/new", nil, url.Values{"title": {"Too late"}, "body": {"x"}}); p.url.Path != "/signin" {
		t.Errorf("acknowledged, and posting leads to %s (%d):\n%s", p.url, p.status, p.text)
	}
}

// TestDoctorOnFollowers reads reports that are not good.
func TestDoctorOnFollowers(t *testing.T) {
	environ := []string{"GATEHOUSE_ISSUER=http://localhost:1", "GATEHOUSE_DATA_DIR=" + filepath.Join(t.TempDir(), "data")}
	mustRun(t, environ, "user", "create", "--username", "ada")
	wantLines(t, diagnosed(t, environ, 0), `(?m)^ok +followers: 0 reported lately`, `(?m)^ok +messages: 0 kinds`)
	mustRun(t, environ, "revoke", "all")
	now := time.Now()
	of := func(instance, state string, position int64, ago time.Duration) feed.Applied {
		return feed.Applied{
			ClientID: "c", Instance: instance, Audience: "https://a.example", Timeline: "t", Position: position,
			State: state, ReportedAt: now.Add(-ago).UnixMilli(),
		}
	}
	c := &call{ctx: t.Context(), environ: environ, stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, now: time.Now}
	err := c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		return d.db.WriteReports(ctx, []feed.Applied{
			of("gone", "stale", 0, 11*time.Minute), of("good", "fresh", 1, 0), of("new", "syncing", 1, 0),
			// Who has nothing new to tell reports about once a minute.
			of("quiet", "fresh", 1, 100*time.Second), of("silent", "fresh", 0, 3*time.Minute),
			of("s1", "stale", 1, 0), of("s2", "stale", 1, 0), of("s3", "stale", 1, 0), of("s4", "stale", 0, 0),
			// Of the row that is being written it cannot know, of one 10 seconds old it must.
			of("soon", "fresh", 0, 0), of("late", "fresh", 0, -15*time.Second),
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	wantLines(t, diagnosed(t, environ, 0),
		`(?m)^warning +followers: 1 of 10 have not reported lately: https://a.example silent$`,
		`(?m)^warning +followers: 4 of 10 are stale: their policies decide: https://a.example s1, https://a.example s2, https://a.example s3, \.\.\.$`,
		`(?m)^warning +followers: 1 of 10 were more than 10 seconds behind the ledger when they reported: https://a.example late$`,
	)
}
