package endtoend_test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
)

// command runs a command beside the server, on its storage, and returns what it
// printed.
func (s *server) command(t *testing.T, args ...string) string {
	t.Helper()
	return s.commandWith(t, "", args...)
}

// commandWith is command with something on standard input.
func (s *server) commandWith(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	var out, problems bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = s.env, strings.NewReader(stdin), &out, &problems
	if err := cmd.Run(); err != nil {
		t.Fatalf("gatehouse %s: %v\n%s", strings.Join(args, " "), err, problems.String())
	}
	return out.String()
}

// ask runs a command with --json, as scripts do, and decodes its answer.
func (s *server) ask(t *testing.T, args ...string) map[string]any {
	t.Helper()
	return s.askWith(t, "", args...)
}

// askWith is ask with something on standard input.
func (s *server) askWith(t *testing.T, stdin string, args ...string) map[string]any {
	t.Helper()
	text := s.commandWith(t, stdin, append(args, "--json")...)
	var answer map[string]any
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatalf("gatehouse %s: %v in\n%s", strings.Join(args, " "), err, text)
	}
	if secret, ok := answer["client_secret"].(string); ok {
		s.hide(secret)
	}
	return answer
}

// client is one that a command registered.
type client struct{ ID, Secret string }

// register makes a client with `client create`.
func (s *server) register(t *testing.T, args ...string) client {
	t.Helper()
	answer := s.ask(t, append([]string{"client", "create"}, args...)...)
	id, _ := answer["client_id"].(string)
	secret, _ := answer["client_secret"].(string)
	if id == "" {
		t.Fatalf("no client_id in %v", answer)
	}
	return client{id, secret}
}
