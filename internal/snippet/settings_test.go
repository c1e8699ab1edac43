package snippet_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/snippet"
)

var update = flag.Bool("update", false, "write testdata/*.golden anew")

const issuer = "https://id.example.com"

// kinds are apps of each type with each way of authentication that it can have.
func kinds() map[string]*accounts.Client {
	person := []string{accounts.GrantAuthorizationCode, accounts.GrantRefreshToken}
	list := map[string]*accounts.Client{}
	for _, c := range []accounts.Client{
		{Type: accounts.WebClient, AuthMethod: accounts.AuthSecret, GrantTypes: person},
		{Type: accounts.WebClient, AuthMethod: accounts.AuthPrivateKeyJWT, GrantTypes: person},
		{Type: accounts.WebClient, AuthMethod: accounts.AuthSecret, GrantTypes: append(person, accounts.GrantClientCredentials), Permissions: []string{"posts:add"}},
		{Type: accounts.SPAClient, AuthMethod: accounts.AuthNone, GrantTypes: person},
		{Type: accounts.NativeClient, AuthMethod: accounts.AuthNone, GrantTypes: person},
		{Type: accounts.NativeClient, AuthMethod: accounts.AuthPrivateKeyJWT, GrantTypes: person},
		{Type: accounts.MachineClient, AuthMethod: accounts.AuthSecret, GrantTypes: []string{accounts.GrantClientCredentials}, Permissions: []string{"posts:add", "posts:drop"}},
		{Type: accounts.MachineClient, AuthMethod: accounts.AuthPrivateKeyJWT, GrantTypes: []string{accounts.GrantClientCredentials}, Permissions: []string{"posts:add"}},
	} {
		c.ClientID, c.RequirePKCE, c.IDTokenAlgorithm = "board", true, "RS256"
		if c.Allows(accounts.GrantAuthorizationCode) {
			c.Scopes, c.RedirectURIs = []string{"openid", "profile", "posts:add"}, []string{"https://board.example.com/callback"}
		}
		if c.Type == accounts.NativeClient {
			c.RedirectURIs = []string{"com.example.board:/callback"}
		}
		name := string(c.Type) + "_" + c.AuthMethod
		if len(c.GrantTypes) == 3 {
			name += "_both"
		}
		list[name] = &c
	}
	return list
}

func apis() []accounts.API {
	api := func(audience string, names ...string) accounts.API {
		a := accounts.API{Audience: audience}
		for _, n := range names {
			a.Permissions = append(a.Permissions, accounts.Permission{Name: n})
		}
		return a
	}
	return []accounts.API{api("https://photos.example.com", "photos:add", "photos:drop"), api("https://posts.example.com", "posts:add", "posts:drop")}
}

// of are an app's snippets in one text.
func of(c *accounts.Client, at string) string {
	var b strings.Builder
	for _, s := range snippet.For(snippet.App{Issuer: at, Client: c, APIs: accounts.APIsOf(c, apis())}) {
		fmt.Fprintf(&b, "== %s: %s\n%s", s.ID, s.Name, s.Text)
	}
	return b.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (write it anew with -update): %s", path, diff)
	}
}

// TestGolden: what apps of each kind are given.
func TestGolden(t *testing.T) {
	for name, c := range kinds() {
		golden(t, name, of(c, issuer))
	}
	// Several APIs, redirect URIs that frameworks take by themselves, another algorithm,
	// no PKCE, and an issuer of development.
	web := kinds()["web_"+accounts.AuthSecret]
	web.Scopes = []string{"openid", "photos:add", "photos:drop", "posts:add"}
	web.RedirectURIs = append(web.RedirectURIs, "https://a.example/oidc/callback/", "https://b.example/app/login/oauth2/code/gatehouse", "https://c.example/oauth2/callback")
	web.IDTokenAlgorithm, web.RequirePKCE = "EdDSA", false
	golden(t, "several_web", of(web, "http://localhost:8400"))
	spa := kinds()["spa_"+accounts.AuthNone]
	spa.Scopes = web.Scopes
	golden(t, "several_spa", of(spa, "http://localhost:8400"))
	machine := kinds()["machine_"+accounts.AuthSecret]
	machine.SetPermissions = []string{"photos:add"}
	golden(t, "several_machine", of(machine, issuer))
}

// nasty holds what a registration lets through in a client_id, or in a URI behind its
// host.
func nasty() []string {
	return []string{
		`$(touch$IFS/tmp/x)`, "`id`", `'$(id)'`, `'";id;'`, `a'b"c`, `${OIDC_CLIENT_SECRET}`, `\`, `\'`, `\\${x}`, `a&b|c;d`, `!!`, `#x`, `~root:~root`, `<>`, `%27%24`,
		`);alert(1)//`, `"""`, `*?[a]`, `-e`, `=`, `u:p`, `//x`, "\x7f",
	}
}

// TestShell: a shell takes each value as it is, and runs nothing.
func TestShell(t *testing.T) {
	for _, value := range append(nasty(), "", "plain", "with blanks  and\ttabs", "two\nlines") {
		script := snippet.Assign("OIDC_CLIENT_ID", value) + "\nprintf '%s|' \"$OIDC_CLIENT_ID\" " + snippet.Word(value)
		command := exec.CommandContext(t.Context(), "sh", "-c", script)
		command.Env, command.Dir = []string{"PATH=" + os.Getenv("PATH"), "OIDC_CLIENT_SECRET=secret"}, t.TempDir()
		out, err := command.CombinedOutput()
		if want := value + "|" + value + "|"; err != nil || string(out) != want {
			t.Errorf("%q became %q, %v", value, out, err)
		}
	}
}

// TestSourced: the environment and the requests of a whole app run as they are meant,
// whatever was registered.
func TestSourced(t *testing.T) {
	for _, bad := range nasty() {
		if bad == "\x7f" { // no URI holds it
			continue
		}
		redirect := "https://a.example/cb" + bad
		app := snippet.App{Issuer: issuer, APIs: apis(), Client: &accounts.Client{
			ClientID: bad, Type: accounts.WebClient, AuthMethod: accounts.AuthSecret, RedirectURIs: []string{redirect},
			GrantTypes: []string{accounts.GrantAuthorizationCode, accounts.GrantClientCredentials}, Scopes: []string{"openid"}, Permissions: []string{"photos:add", "posts:add"},
		}}
		var curl string
		for _, s := range snippet.For(app) {
			if s.ID == "curl" {
				curl = s.Text
			}
		}
		script := app.Environment("s3cret") + "printf '%s\\n' \"$OIDC_ISSUER\" \"$OIDC_CLIENT_ID\" \"$OIDC_CLIENT_SECRET\" \"$OIDC_REDIRECT_URI\" \"$OIDC_SCOPES\"\n" +
			"curl() { for word; do printf '%s\\n' \"$word\"; done; }\n" + curl
		command := exec.CommandContext(t.Context(), "sh", "-c", script)
		command.Dir = t.TempDir()
		out, err := command.CombinedOutput()
		if err != nil {
			t.Errorf("%q: %v", bad, err)
		}
		want := []string{issuer, bad, "s3cret", redirect, "openid"}
		for _, api := range [][2]string{{"photos:add", "https://photos.example.com"}, {"posts:add", "https://posts.example.com"}} {
			want = append(want, issuer+"/oauth2/token", "-d", "grant_type=client_credentials", "--data-urlencode", "scope="+api[0],
				"--data-urlencode", "resource="+api[1], "--data-urlencode", "client_id="+bad, "--data-urlencode", "client_secret=s3cret")
		}
		if diff := cmp.Diff(want, strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")); diff != "" {
			t.Errorf("%q: %s", bad, diff)
		}
	}
}

// TestLiterals: whatever is registered stands in each language as one string, which that
// language reads as it was.
func TestLiterals(t *testing.T) {
	literals := regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	for _, bad := range nasty() {
		for name, c := range kinds() {
			redirect := c.RedirectURIs
			if redirect != nil && bad != "\x7f" {
				redirect = []string{c.RedirectURIs[0] + bad}
			}
			c.ClientID, c.RedirectURIs = bad, redirect
			for _, s := range snippet.For(snippet.App{Issuer: issuer, Client: c, APIs: apis()}) {
				var read []string
				switch s.ID {
				case "env", "curl":
					continue
				case "spring":
					read = properties(s.Text)
				default:
					for _, l := range literals.FindAllString(s.Text, -1) {
						var one string
						if err := json.Unmarshal([]byte(l), &one); err != nil {
							t.Errorf("%s, %s: %v", name, l, err)
						}
						if again, err := strconv.Unquote(l); err != nil || again != one {
							t.Errorf("%s, %s is %q in Go, %v", name, l, again, err)
						}
						read = append(read, one)
					}
				}
				// Django puts its redirect URI together itself.
				if !slices.Contains(read, bad) || redirect != nil && s.ID != "django" && !slices.Contains(read, redirect[0]) {
					t.Errorf("%s, %s with %q: %q in\n%s", name, s.ID, bad, read, s.Text)
				}
				if s.ID == "go" {
					if _, err := parser.ParseFile(token.NewFileSet(), "", "package p\nfunc f() {\n"+s.Text+"}\n", 0); err != nil {
						t.Errorf("%s: %v in\n%s", name, err, s.Text)
					}
				}
			}
		}
	}
}

// properties are the values of a file as Java reads it, and Spring then without knowing
// any other value.
func properties(text string) (values []string) {
	for line := range strings.Lines(text) {
		_, raw, found := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		if strings.HasPrefix(line, "#") || !found {
			continue
		}
		var b strings.Builder
		for i := 0; i < len(raw); i++ {
			if raw[i] == '\\' && i+1 < len(raw) {
				i++
			}
			b.WriteByte(raw[i])
		}
		var value strings.Builder
		for rest := b.String(); rest != ""; {
			switch {
			case strings.HasPrefix(rest, `\${`):
				value.WriteString("${")
				rest = rest[3:]
			case strings.HasPrefix(rest, "${"):
				value.WriteString("REPLACED")
				rest = rest[2:]
			default:
				value.WriteByte(rest[0])
				rest = rest[1:]
			}
		}
		values = append(values, value.String())
	}
	return values
}
