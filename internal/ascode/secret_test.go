package ascode_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/ascode"
)

// TestSecrets: a chosen secret is taken once, and one that was replaced or ended does
// not come back by an old file.
func TestSecrets(t *testing.T) {
	w := newWorld(t)
	ctx, by := t.Context(), operator()
	const file = `clients: [{client_id: board, name: Board, type: web, redirect_uris: ["https://board.example.com/a"], secret_from: "env:BOARD"}]`
	const first, second, third = "first-7h3bqk2v9xw4m8zt5c6n1r0p-1", "second-9xw4m8zt5c6n1r0p7h3bqk2v-2", "third-4m8zt5c6n1r0p7h3bqk2v9xw-3"
	refused := func(why, want string) {
		t.Helper()
		before := w.state()
		if _, err := w.apply(file, ascode.Options{Force: true}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", why, err)
		} else if strings.Contains(err.Error(), w.secrets["env:BOARD"]) && w.secrets["env:BOARD"] != "" {
			t.Errorf("%s: the error tells the secret", why)
		}
		if w.state() != before {
			t.Errorf("%s: something was changed", why)
		}
	}
	refused("no secret there", "there is no secret")
	w.secrets["env:BOARD"] = "too short"
	refused("a short one", "random printable")
	w.secrets["env:BOARD"] = strings.Repeat("ab", 30)
	refused("a simple one", "random printable")

	w.secrets["env:BOARD"] = first
	out := w.mustApply(file, ascode.Options{})
	if !strings.Contains(out, "secret_from \"another secret\"") || strings.Contains(out, first) {
		t.Errorf("told\n%s", out)
	}
	if !w.opens("board", first) || len(w.client("board").Secrets) != 1 {
		t.Error("the chosen secret is not the only one")
	}
	if out := w.mustApply(file, ascode.Options{}); out != "" {
		t.Errorf("applied again\n%s", out)
	}

	w.secrets["env:BOARD"] = second
	if out, want := w.mustApply(file, ascode.Options{}), "client board changed\n  secret_from \"the present secret\" -> \"another secret\"\n"; out != want {
		t.Errorf("with another secret\n%s", out)
	}
	if w.opens("board", first) || !w.opens("board", second) {
		t.Error("the first secret goes on, or the second does not work")
	}
	w.secrets["env:BOARD"] = first
	refused("the first one again", "was replaced before")

	// Ended by hand: the file is applied again, and the secret stays ended.
	w.secrets["env:BOARD"] = second
	must(t, w.Clients.Compromised(ctx, by, "board"))
	if out := w.mustApply(file, ascode.Options{}); out != "" || w.opens("board", second) {
		t.Errorf("a compromised secret came back: %q", out)
	}
	// Not even after the file forgot of it, or the client was removed.
	w.mustApply(strings.Replace(file, `, secret_from: "env:BOARD"`, "", 1), ascode.Options{})
	if w.mustApply(file, ascode.Options{}); w.opens("board", second) {
		t.Error("a compromised secret came back after the file forgot of it")
	}
	must(t, w.Clients.Delete(ctx, by, "board"))
	refused("a removed client's secret", "the client was removed")
	w.secrets["env:BOARD"] = first
	refused("an older one of a removed client", "was replaced before")
	w.secrets["env:BOARD"] = third
	if w.mustApply(file, ascode.Options{Force: true}); !w.opens("board", third) {
		t.Error("a new secret does not open a client that was made again")
	}
	if text := w.export(ascode.ExportOptions{}); strings.Contains(text, third) || strings.Contains(text, "secret_") {
		t.Errorf("a secret is exported:\n%s", text)
	}
}

// TestSecrets_Overlap: with an overlap the secret before goes on for a while; and a
// client that has the secret already keeps it.
func TestSecrets_Overlap(t *testing.T) {
	w := newWorld(t)
	made, own, err := w.Clients.Register(t.Context(), operator(), accounts.Registration{Name: "Robot", Type: accounts.MachineClient})
	must(t, err)
	w.secrets["file:/run/robot"] = own.Reveal()
	const file = `clients: [{name: Robot, secret_from: "file:/run/robot", secret_overlap: 24h}]`
	if out := w.mustApply(file, ascode.Options{}); out != "client Robot claimed\n" || !w.opens(made.ClientID, own.Reveal()) {
		t.Errorf("a client that has the secret already: %s", out)
	}
	next := strings.Repeat("x7", 5) + "9xw4m8zt5c6n1r0p7h3bqk2v"
	w.secrets["file:/run/robot"] = next
	w.mustApply(file, ascode.Options{})
	if !w.opens(made.ClientID, own.Reveal()) || !w.opens(made.ClientID, next) {
		t.Error("one of two secrets that overlap does not open")
	}
	for text, want := range map[string]string{
		`clients: [{name: Robot, secret_from: "vault:x"}]`:                      "write env:NAME or file:PATH",
		`clients: [{name: Robot, secret_from: "env:"}]`:                         "write env:NAME or file:PATH",
		`clients: [{name: Robot, secret_from: "env:A", secret_file: b.secret}]`: "leave one out",
	} {
		if _, err := w.apply(text, ascode.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// TestSecrets_API: what holds for the secrets of clients holds for those of the clients
// that are made with APIs.
func TestSecrets_API(t *testing.T) {
	w := newWorld(t)
	ctx, by := t.Context(), operator()
	const first, second, third = "first-7h3bqk2v9xw4m8zt5c6n1r0p-1", "second-9xw4m8zt5c6n1r0p7h3bqk2v-2", "third-4m8zt5c6n1r0p7h3bqk2v9xw-3"
	const file = `apis: [{audience: "https://api.example.com", name: Posts, secret_from: "env:POSTS", secret_overlap: 1h, permissions: []}]`
	server := func() string {
		t.Helper()
		a, err := w.APIs.Find(ctx, "https://api.example.com")
		must(t, err)
		return a.ResourceServer
	}
	if _, err := w.apply(file, ascode.Options{}); err == nil || !strings.Contains(err.Error(), `API "https://api.example.com": secret_from env:POSTS: there is no secret`) {
		t.Errorf("no secret there: %v", err)
	}
	w.secrets["env:POSTS"] = first
	before := w.state()
	seen := w.mustApply(file, ascode.Options{DryRun: true})
	if want := "API https://api.example.com created\n  name \"Posts\"\n  permissions (none)\n  secret_from \"another secret\"\n"; seen != want || w.state() != before {
		t.Errorf("a dry run tells %q, %s to %s", seen, before, w.state())
	}
	plan, err := w.Apply(ctx, by, read(t, file), ascode.Options{})
	must(t, err)
	if c := plan.Changes[0]; c.Secret != "" || c.SecretFile != "" || c.ClientID != server() || !w.opens(server(), first) {
		t.Errorf("made with a chosen secret: %+v", c)
	}
	before = w.state()
	if out := w.mustApply(file, ascode.Options{}); out != "" || w.state() != before {
		t.Errorf("applied again: %s, %s to %s", out, before, w.state())
	}

	w.secrets["env:POSTS"] = second
	if out, want := w.mustApply(file, ascode.Options{}), "API https://api.example.com changed\n  secret_from \"the present secret\" -> \"another secret\"\n"; out != want || !w.opens(server(), first) || !w.opens(server(), second) {
		t.Errorf("another secret, with an overlap: %s", out)
	}
	w.secrets["env:POSTS"] = first
	if _, err := w.apply(file, ascode.Options{Force: true}); err == nil || !strings.Contains(err.Error(), "was replaced before") {
		t.Errorf("the first one again: %v", err)
	}
	w.secrets["env:POSTS"] = second
	must(t, w.Clients.Compromised(ctx, by, server()))
	if out := w.mustApply(file, ascode.Options{}); out != "" || w.opens(server(), second) {
		t.Errorf("a compromised secret came back: %q", out)
	}
	must(t, w.APIs.Delete(ctx, by, "https://api.example.com"))
	if _, err := w.apply(file, ascode.Options{Force: true}); err == nil || !strings.Contains(err.Error(), "the API was removed, and with it this secret") {
		t.Errorf("the secret of a removed API: %v", err)
	}
	w.secrets["env:POSTS"] = third
	if w.mustApply(file, ascode.Options{Force: true}); !w.opens(server(), third) {
		t.Error("a new secret does not open the client of an API that was made again")
	}
	if text := w.export(ascode.ExportOptions{}); strings.Contains(text, third) || strings.Contains(text, "secret_") {
		t.Errorf("a secret is exported:\n%s", text)
	}

	for text, want := range map[string]string{
		`apis: [{audience: "https://b.example.com", name: B, secret_from: "env:POSTS", secret_file: b.secret}]`: "leave one out",
		`apis: [{audience: "https://b.example.com", name: B, secret_file: b.secret}]`:                           "taken",
		`apis: [{audience: "https://b.example.com", name: B, secret_from: "file:posts"}]`:                       "there is no secret",
	} {
		w.Vacant = func(path string) error { return errors.New(path + " is taken") }
		if _, err := w.apply(text, ascode.Options{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	w.Vacant = func(string) error { return nil }
	plan, err = w.Apply(ctx, by, read(t, `apis: [{audience: "https://b.example.com", name: B, secret_file: b.secret}]`), ascode.Options{})
	must(t, err)
	if c := plan.Changes[0]; c.SecretFile != "b.secret" || !w.opens(c.ClientID, c.Secret.Reveal()) {
		t.Errorf("the secret that was made is to be kept in %q", c.SecretFile)
	}
}

// TestSecrets_MadeAnew: a client that the file knows by its name alone does not get an
// old secret again either, when somebody has removed it and made it anew.
func TestSecrets_MadeAnew(t *testing.T) {
	w := newWorld(t)
	ctx, by := t.Context(), operator()
	const first, second = "first-7h3bqk2v9xw4m8zt5c6n1r0p-1", "second-9xw4m8zt5c6n1r0p7h3bqk2v-2"
	const file = `clients: [{name: Robot, type: machine, secret_from: "env:ROBOT"}]`
	w.secrets["env:ROBOT"] = first
	w.mustApply(file, ascode.Options{})
	must(t, w.Clients.Delete(ctx, by, findNamed(t, w, "Robot")))
	_, _, err := w.Clients.Register(ctx, by, accounts.Registration{Name: "Robot", Type: accounts.MachineClient})
	must(t, err)
	if w.mustApply(file, ascode.Options{}); w.opens(findNamed(t, w, "Robot"), first) {
		t.Error("what was made anew has the secret of what was removed")
	}
	w.secrets["env:ROBOT"] = second
	if w.mustApply(file, ascode.Options{}); !w.opens(findNamed(t, w, "Robot"), second) {
		t.Error("another secret is not taken")
	}
	w.secrets["env:ROBOT"] = first
	// Nor if the file writes the client_id down by now.
	for _, text := range []string{file, strings.Replace(file, "{name: Robot", "{name: Robot, client_id: "+findNamed(t, w, "Robot"), 1)} {
		if _, err := w.apply(text, ascode.Options{}); err == nil || !strings.Contains(err.Error(), "was replaced before") {
			t.Errorf("the first secret again, %s: %v", text, err)
		}
	}
}
