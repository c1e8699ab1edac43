package endtoend_test

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// djangoSite is a Django project in a folder of its own (testdata/djangosite).
type djangoSite struct {
	t      *testing.T
	folder string
	url    string
	env    []string
}

func newDjangoSite(t *testing.T) *djangoSite {
	t.Helper()
	s := &djangoSite{t: t, folder: t.TempDir(), url: "http://127.0.0.1:" + freePorts(t, 1)[0]}
	if err := os.CopyFS(s.folder, os.DirFS(filepath.Join("testdata", "djangosite"))); err != nil {
		t.Fatal(err)
	}
	s.env = append(withoutSettings(os.Environ()), "PYTHONDONTWRITEBYTECODE=1", "SITE_URL="+s.url, "PASSWORD="+password)
	return s
}

func (s *djangoSite) command(database string, args ...string) *exec.Cmd {
	cmd := exec.Command(findPython(s.t), append([]string{"djangosite.py"}, args...)...)
	cmd.Dir, cmd.Env = s.folder, append(s.env, "SITE_DATABASE="+filepath.Join(s.folder, database))
	return cmd
}

// manage runs a command of Django's and returns what it printed.
func (s *djangoSite) manage(database string, args ...string) string {
	s.t.Helper()
	var problems strings.Builder
	cmd := s.command(database, args...)
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("django %v: %v\n%s", args, err, problems.String())
	}
	return string(out)
}

// serve runs the site on a database without people until the test ends.
func (s *djangoSite) serve() {
	s.t.Helper()
	said := newTail()
	cmd := s.command("new.sqlite3", "runserver", "--noreload", strings.TrimPrefix(s.url, "http://"))
	cmd.Stdout, cmd.Stderr = said, said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait() // it was killed
		if s.t.Failed() {
			s.t.Logf("the site said:\n%s", said)
		}
	})
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		answer, err := http.Get(s.url + "/drafts")
		if err == nil {
			_ = answer.Body.Close() // nothing of it is read
			return
		}
		if time.Now().After(end) {
			s.t.Fatalf("the site does not answer: %v\n%s", err, said)
		}
	}
}

// djangoReader is somebody's browser at the site.
type djangoReader struct {
	*djangoSite
	browser *http.Client
}

func (s *djangoSite) reader() *djangoReader {
	s.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		s.t.Fatal(err)
	}
	return &djangoReader{djangoSite: s, browser: &http.Client{Jar: jar, Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}}
}

// get returns the status, where the site leads to, and its text.
func (r *djangoReader) get(path string) (status int, to, text string) {
	r.t.Helper()
	answer, err := r.browser.Get(r.url + path)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }() // it is read
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		r.t.Fatal(err)
	}
	return answer.StatusCode, answer.Header.Get("Location"), string(body)
}

// signIn follows a page that needs a sign-in through Gatehouse and back.
func (r *djangoReader) signIn(server *server, page, username string) {
	r.t.Helper()
	status, to, _ := r.get(page)
	if status != http.StatusFound || to != "/login?next="+page {
		r.t.Fatalf("%s: %d, to %s", page, status, to)
	}
	status, to, _ = r.get(to)
	if status != http.StatusFound || !strings.HasPrefix(to, server.issuer+"/oauth2/authorize?") {
		r.t.Fatalf("the site's login: %d, to %s", status, to)
	}
	answer, err := server.agent(r.t).authorize(to, username)
	if err != nil {
		r.t.Fatalf("%s signs in: %v", username, err)
	}
	server.hide(answer.Get("code"))
	if status, to, text := r.get("/callback?" + answer.Encode()); status != http.StatusFound || to != page {
		r.t.Fatalf("back at the site: %d, to %s %.200s", status, to, text)
	}
}

// A project's people, groups and permissions are dumped by Django and imported; then
// its people sign in through Gatehouse with their old passwords, and its views decide
// by what Gatehouse says.
func TestDjangoSiteMovesIn(t *testing.T) {
	server, project := start(t, embedded), newDjangoSite(t)
	project.manage("old.sqlite3", "migrate", "--run-syncdb", "-v0")
	project.manage("old.sqlite3", "old")
	dump := filepath.Join(project.folder, "dump.json")
	if err := os.WriteFile(dump, []byte(project.manage("old.sqlite3", "dumpdata", "auth", "contenttypes", "accounts", "--natural-foreign")), 0o600); err != nil {
		t.Fatal(err)
	}
	answer := server.ask(t, "import", "django", dump, "--user-model", "accounts.User", "--audience", project.url+"/api", "--app", "blog")
	apis, _ := answer["new_apis"].([]any)
	people, _ := answer["people"].(map[string]any)
	if len(apis) != 1 || people["created"] != 6.0 {
		t.Fatalf("imported %v", people)
	}
	for name, want := range map[string]string{"ada": "", "gone": "banned", "barred": "banned", "clerk": "staff", "root": "staff superuser"} {
		var is []string
		found := server.ask(t, "user", "show", "--user", name)
		for _, what := range []string{"banned", "staff", "superuser"} {
			if found[what] == true {
				is = append(is, what)
			}
		}
		if got := strings.Join(is, " "); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	api, _ := apis[0].(map[string]any)
	apiID, _ := api["client_id"].(string)
	apiSecret, _ := api["client_secret"].(string)
	server.hide(apiSecret)
	c := server.register(t, "--name", "Site", "--type", "web", "--redirect-uri", project.url+"/callback",
		"--scope", "openid profile offline_access blog:add_post blog:delete_post")
	project.env = append(project.env, "ISSUER="+server.issuer, "SITE_ID="+c.ID, "SITE_SECRET="+c.Secret, "API_ID="+apiID, "API_SECRET="+apiSecret)
	project.manage("new.sqlite3", "migrate", "--run-syncdb", "-v0")
	project.serve()

	ada, bob := project.reader(), project.reader()
	ada.signIn(server, "/drafts", "ada")
	if status, _, text := ada.get("/drafts"); status != http.StatusOK || text != "drafts of django-1" {
		t.Errorf("ada's drafts: %d %s", status, text)
	}
	bob.signIn(server, "/add", "bob")
	for _, c := range []struct {
		who    string
		by     *djangoReader
		path   string
		status int
	}{
		{"ada", ada, "/add", http.StatusOK},
		{"ada", ada, "/delete", http.StatusForbidden},
		{"bob", bob, "/drafts", http.StatusOK},
		{"bob", bob, "/add", http.StatusFound}, // to sign in as somebody who may
		{"bob", bob, "/delete", http.StatusForbidden},
	} {
		if status, _, text := c.by.get(c.path); status != c.status {
			t.Errorf("%s at %s: %d, want %d %.200s", c.who, c.path, status, c.status, text)
		}
	}
	// Who was shut out still is, and is told so: but only if the password is right.
	for name, typed := range map[string]string{"gone": password, "barred": password, "ada": "not " + password} {
		someone, want := server.agent(t), "/signin: 403 Forbidden, Error: You do not have access"
		if someone.password = typed; typed != password {
			want = "the pages do not end"
		}
		if answer, err := someone.authorize(mustLead(t, project.reader()), name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s signs in: %q, %v, want %s", name, answer, err, want)
		}
	}

	// What is given and taken in Gatehouse holds in Django.
	server.command(t, "group", "grant", "--group", "Visitors", "--permission", "blog:delete_post")
	server.command(t, "group", "revoke", "--group", "Authors", "--permission", "blog:add_post")
	for end := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		status, _, _ := ada.get("/add")
		if status == http.StatusFound {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("ada may still add: %d", status)
		}
	}
	if status, _, _ := ada.get("/drafts"); status != http.StatusOK {
		t.Errorf("ada lost her sign-in: %d", status)
	}
	// What is given shows at the next sign-in, and gives nothing to others.
	bob = project.reader()
	bob.signIn(server, "/drafts", "bob")
	if status, _, text := bob.get("/delete"); status != http.StatusOK || text != "deleted" {
		t.Errorf("bob may delete by now: %d %.200s", status, text)
	}
	if status, _, _ := ada.get("/delete"); status != http.StatusForbidden {
		t.Errorf("ada may delete: %d", status)
	}
}

// mustLead is where the site leads somebody to sign in.
func mustLead(t *testing.T, r *djangoReader) string {
	t.Helper()
	_, to, _ := r.get("/login?next=/drafts")
	return to
}
