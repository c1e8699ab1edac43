package endtoend_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/oauth2"
)

// A new deployment from a shell: what its scripts type, the JSON keys that they
// read, and what comes of it at the running server.
func TestCommandsForScripts(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		const audience, secret = "https://photos.example.com", "a long and uncommon password 7"
		s.hide(secret)
		user := "sub username superuser"
		for _, line := range []struct {
			args, stdin, keys string
		}{
			{`user create --username boss --superuser --password-stdin`, secret, user},
			{`user create --username ann --email ann@example.com --password-stdin`, "another uncommon password 8", user},
			{`user set-password --user ann --password-stdin`, secret, "result"},
			{`api create --audience ` + audience + ` --name Photos --permission photos:add=Add_photos`, "", "audience name permissions client_id client_secret"},
			{`api show --audience ` + audience, "", "audience name permissions client_id"},
			{`group create --name Photographers`, "", "name permissions"},
			{`group grant --group Photographers --permission photos:add`, "", "result"},
			{`group add-member --group Photographers --user ann`, "", "result"},
			{`keys list`, "", "keys"},
			{`keys rotate`, "", ""},
			{`migrate`, "", ""},
			{`doctor`, "", ""},
		} {
			answer := s.askWith(t, line.stdin, strings.Fields(line.args)...)
			wantKeys(t, line.args, answer, strings.Fields(line.keys))
		}
		made := s.ask(
			t, "client", "create", "--name", "Album", "--type", "web", "--redirect-uri", callback, "--redirect-uri", callback+"2",
			"--scope", "openid photos:add", "--optional-scope", "photos:add",
		)
		wantKeys(t, "client create", made, []string{"client_id", "client_secret", "issuer", "discovery"})
		c := client{made["client_id"].(string), made["client_secret"].(string)}

		a := s.goAppOf(t, c)
		a.config.Scopes = []string{"openid", "photos:add"}
		ann := s.agent(t)
		ann.password = secret
		token, _ := a.signIn(ann, "ann")
		if access := s.at(t, audience, token.AccessToken); !access.HasScope("photos:add") {
			t.Errorf("access token %+v", access)
		}
		s.ask(t, "group", "revoke", "--group", "Photographers", "--permission", "photos:add")
		s.inactive(t, c, token.AccessToken)
		s.ask(t, "user", "ban", "--user", "ann")
		request := a.config.AuthCodeURL("s", oauth2.S256ChallengeOption(oauth2.GenerateVerifier()))
		var refused error
		soon(t, "the ban", func() bool {
			_, refused = ann.authorize(request, "ann")
			return refused != nil
		})
		if !strings.Contains(refused.Error(), "403") || ann.typed != 2 {
			t.Errorf("after user ban: %v", refused)
		}
	})
}

func wantKeys(t *testing.T, what string, answer map[string]any, keys []string) {
	t.Helper()
	for _, key := range keys {
		if _, ok := answer[key]; !ok {
			t.Errorf("gatehouse %s: no %q in %v", what, key, answer)
		}
	}
}

// Each kind of client, and whether a secret is made for it.
func TestClientCreate(t *testing.T) {
	s := start(t, embedded)
	for kind, secret := range map[string]bool{"web": true, "spa": false, "native": false, "machine": true} {
		args := []string{"client", "create", "--name", kind, "--type", kind, "--scope", "posts:add"}
		if kind != "machine" {
			args = append(args, "--redirect-uri", callback)
		}
		answer := s.ask(t, args...)
		wantKeys(t, "client create", answer, []string{"client_id"})
		if _, ok := answer["client_secret"]; ok != secret {
			t.Errorf("%s: a secret was made: %t", kind, ok)
		}
	}
}

const wantedFile = `
apis:
  - audience: https://photos.example.com
    name: Photos
    permissions:
      - name: photos:add
        description: Add photos
groups:
  - name: Photographers
    permissions: [photos:add]
clients:
  - client_id: album
    name: Album
    type: web
    redirect_uris: [http://localhost:1/callback]
    scopes: [openid, photos:add]
`

func TestApplyTwice(t *testing.T) {
	s := start(t, embedded)
	file := filepath.Join(t.TempDir(), "wanted.yaml")
	if err := os.WriteFile(file, []byte(wantedFile), 0o600); err != nil {
		t.Fatal(err)
	}
	first := s.ask(t, "apply", "-f", file)
	if changes, _ := first["changes"].([]any); len(changes) != 3 || first["unchanged"] != false {
		t.Errorf("the first time: %v", first)
	}
	for _, change := range first["changes"].([]any) {
		if secret, ok := change.(map[string]any)["client_secret"].(string); ok {
			s.hide(secret)
		}
	}
	second := s.ask(t, "apply", "-f", file)
	if changes, _ := second["changes"].([]any); len(changes) != 0 || second["unchanged"] != true {
		t.Errorf("the second time: %v", second)
	}
}

// What fails says so in one line and by its exit code.
func TestCommandFails(t *testing.T) {
	s := start(t, embedded)
	for _, args := range []string{
		"client show --client nobody", "user ban --user nobody", "group grant --group Editors --permission nothing:known",
		"api show --audience https://other.example", "client create --name N --type web", "no-such-command",
	} {
		var out, problems bytes.Buffer
		cmd := exec.Command(program, append(strings.Fields(args), "--json")...)
		cmd.Env, cmd.Stdout, cmd.Stderr = s.env, &out, &problems
		var exit *exec.ExitError
		if err := cmd.Run(); !errors.As(err, &exit) || exit.ExitCode() != 1 {
			t.Errorf("gatehouse %s: %v, want exit code 1", args, err)
		}
		if text := problems.String(); out.Len() != 0 || strings.Count(text, "\n") != 1 || !strings.HasPrefix(text, "gatehouse: ") {
			t.Errorf("gatehouse %s: %q and %q, want one line of error", args, out.String(), text)
		}
	}
}

// A second start finds everything: accounts, clients, sessions, tokens.
func TestSecondStart(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) {
		a, person := s.goApp(t), s.agent(t)
		token, _ := a.signIn(person, "regular_user")
		s.stop(t)
		if !s.run(t) {
			t.Fatalf("the second start failed:\n%s%s", s.printed, s.logged)
		}
		if _, err := a.refresh(token); err != nil {
			t.Errorf("a refresh token of before: %v", err)
		}
		s.at(t, s.api, token.AccessToken)
		if _, _ = a.signIn(person, "regular_user"); person.typed != 1 {
			t.Errorf("the password was asked for %d times, want once", person.typed)
		}
		v := s.visitor(t)
		v.enter("reader") // the demo app knows its secret again
	})
}
