package endtoend_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// adminAPI is where the admin API of the server is.
func (s *server) adminAPI() string { return s.issuer + "/admin/api/v1" }

// TestGeneratedAdminClient: of the description that the server serves a generator makes
// types, against which an operator's program compiles, and that program does a day's work
// with every kind of object.
func TestGeneratedAdminClient(t *testing.T) {
	s := start(t, embedded)
	folder := s.generated(t)
	scopes := strings.Join(append(accounts.AdminPermissions(), "posts:add"), " ")
	robot := s.register(t, "--name", "Provisioning", "--type", "machine", "--scope", scopes)
	app := s.goApp(t)
	_, id := app.signIn(s.agent(t), "regular_user")
	var was logoutClaims
	if err := id.Claims(&was); err != nil {
		t.Fatal(err)
	}
	settings, err := json.Marshal(map[string]string{
		"issuer": s.issuer, "base": s.adminAPI(), "api": s.api, "client_id": robot.ID, "client_secret": robot.Secret,
		"scope": strings.Join(accounts.AdminPermissions(), " "), "sub": id.Subject, "sid": was.Session, "signed_in": app.config.ClientID,
	})
	if err != nil {
		t.Fatal(err)
	}
	var out, problems bytes.Buffer
	day := node(t, filepath.Join(folder, "out"), "admin.js")
	day.Stdout, day.Stderr, day.Env = &out, &problems, append(day.Env, "SETTINGS="+string(settings))
	if err := day.Run(); err != nil {
		t.Fatalf("%v\n%s", err, problems.String())
	}
	var report struct{ Passed []string }
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatalf("%v in %s", err, out.String())
	}
	if diff := cmp.Diff(checks("admin.ts"), report.Passed); diff != "" {
		t.Errorf("checks (-want +got):\n%s", diff)
	}
}

// generated makes the client: the types from the description, and the program compiled
// against them. It returns a folder whose folder out has the JavaScript.
func (s *server) generated(t *testing.T) string {
	t.Helper()
	folder, libraries := t.TempDir(), absolute(t, filepath.Join("node", "node_modules"))
	if err := os.Symlink(libraries, filepath.Join(folder, "node_modules")); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	for _, name := range []string{"admin.ts", "run.mjs", "tsconfig.json"} {
		text, err := os.ReadFile(filepath.Join("node", name))
		if err != nil {
			t.Fatal(err)
		}
		s.write(t, folder, name, text)
	}
	s.write(t, folder, "package.json", []byte(`{"type":"module"}`))
	s.write(t, folder, "openapi.json", s.description(t))
	for _, step := range [][]string{
		{filepath.Join("openapi-typescript", "bin", "cli.js"), "openapi.json", "--output", "api.ts"},
		{filepath.Join("typescript", "bin", "tsc")},
	} {
		program := filepath.Join(libraries, step[0])
		if said, err := node(t, folder, append([]string{program}, step[1:]...)...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", step[0], err, said)
		}
	}
	return folder
}

// description is the OpenAPI document as the server serves it.
func (s *server) description(t *testing.T) []byte {
	t.Helper()
	answer, err := http.Get(s.adminAPI() + "/openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read to its end
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("the description: %s, %v", answer.Status, err)
	}
	return text
}

func (s *server) write(t *testing.T, folder, name string, text []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(folder, name), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	full, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return full
}
