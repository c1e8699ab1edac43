package endtoend_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
)

const postLogout = "http://localhost:1/signed-out"

// checks are what each script has to do, so that none is forgotten in silence.
func checks(script string) []string {
	return map[string][]string{
		"openid-client.mjs": {
			"discovery", "code", "userinfo", "protected resource", "challenge", "introspection by the client", "introspection by the API",
			"refresh", "revocation", "PAR", "client_secret_post", "private_key_jwt", "client credentials", "end session",
		},
		"oauth4webapi.mjs": {
			"discovery", "code", "userinfo", "JWT access token", "wrong state", "wrong issuer", "wrong verifier", "errors by redirect",
			"refresh", "introspection", "revocation", "PAR", "private_key_jwt",
		},
		"admin.ts": {
			"users", "APIs", "groups", "apps and secrets", "sessions, grants and consents", "revocations and receipts", "keys", "settings",
			"audit and status",
		},
	}[script]
}

func TestOpenIDClient(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) { s.runScript(t, "openid-client.mjs") })
}

func TestOAuth4WebAPI(t *testing.T) {
	eachStorage(t, func(t *testing.T, s *server) { s.runScript(t, "oauth4webapi.mjs") })
}

// runScript runs a script of the folder node against the server.
func (s *server) runScript(t *testing.T, script string) {
	t.Helper()
	node, flags := findNode(t)
	settings, err := json.Marshal(s.nodeSettings(t))
	if err != nil {
		t.Fatal(err)
	}
	var out, problems bytes.Buffer
	cmd := exec.CommandContext(t.Context(), node, append(flags, script)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = "node", &out, &problems
	cmd.Env = append(os.Environ(), "SETTINGS="+string(settings), "NODE_NO_WARNINGS=1")
	if err := cmd.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, problems.String())
	}
	var report struct{ Passed []string }
	if err := json.Unmarshal(out.Bytes(), &report); err != nil {
		t.Fatalf("%s: %v in %s", script, err, out.String())
	}
	if diff := cmp.Diff(checks(script), report.Passed); diff != "" {
		t.Errorf("checks of %s (-want +got):\n%s", script, diff)
	}
}

// findNode returns Node and the flags that this version of it needs. It fails if
// Node or the client libraries are missing.
func findNode(t *testing.T) (path string, flags []string) {
	t.Helper()
	path, err := exec.LookPath("node")
	if err != nil {
		t.Fatal("node is not installed; on Debian: apt-get install nodejs npm (make test does it)")
	}
	for _, library := range []string{"openid-client", "oauth4webapi", "openapi-typescript", "openapi-fetch", "typescript"} {
		if _, err := os.Stat(filepath.Join("node", "node_modules", library)); err != nil {
			t.Fatalf("%s is not installed; run npm ci in internal/endtoend/node (make test does it)", library)
		}
	}
	version, err := exec.Command(path, "--version").Output()
	if err != nil {
		t.Fatalf("node --version: %v", err)
	}
	text, _, _ := strings.Cut(strings.TrimPrefix(string(version), "v"), ".")
	major, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("node --version printed %q", version)
	}
	if major < 20 { // Debian 12 has 18
		flags = []string{"--experimental-global-webcrypto"}
	}
	return path, flags
}

// nodeClient is a client as the scripts know it.
type nodeClient struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret,omitempty"`
}

// nodeSettings is what the scripts are told.
type nodeSettings struct {
	Issuer     string                `json:"issuer"`
	API        string                `json:"api"`
	Username   string                `json:"username"`
	Password   string                `json:"password"`
	Redirect   string                `json:"redirect_uri"`
	PostLogout string                `json:"post_logout_redirect_uri"`
	Scope      string                `json:"scope"`
	Clients    map[string]nodeClient `json:"clients"`
	ES256      jose.JSONWebKey       `json:"es256"` // private
	PS256      jose.JSONWebKey       `json:"ps256"`
}

func (s *server) nodeSettings(t *testing.T) nodeSettings {
	t.Helper()
	elliptic, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	modular, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	es256, es256File := jwks(t, elliptic, jose.ES256)
	ps256, ps256File := jwks(t, modular, jose.PS256)
	person := []string{"--redirect-uri", callback, "--scope", everyScope, "--optional-scope", "posts:add posts:delete"}
	register := func(name, kind string, more ...string) nodeClient {
		return nodeClient(s.register(t, append([]string{"--name", name, "--type", kind}, more...)...))
	}
	return nodeSettings{
		Issuer: s.issuer, API: s.api, Username: "regular_user", Password: password,
		Redirect: callback, PostLogout: postLogout, Scope: everyScope, ES256: es256, PS256: ps256,
		Clients: map[string]nodeClient{
			"web":          register("Web app", "web", append(person, "--post-logout-redirect-uri", postLogout)...),
			"spa":          register("Browser app", "spa", person...),
			"machine":      register("Robot", "machine", "--scope", "posts:add"),
			"signed_es256": register("Signing app", "web", append(person, "--auth-method", "private_key_jwt", "--jwks-file", es256File)...),
			"signed_ps256": register("Signing app too", "web", append(person, "--auth-method", "private_key_jwt", "--jwks-file", ps256File)...),
			"api":          nodeClient(s.resourceServer(t)),
		},
	}
}

// jwks returns a private key as a JWK, and a file with the public one.
func jwks(t *testing.T, private crypto.Signer, algorithm jose.SignatureAlgorithm) (jose.JSONWebKey, string) {
	t.Helper()
	key := jose.JSONWebKey{Key: private, KeyID: strings.ToLower(string(algorithm)), Algorithm: string(algorithm), Use: "sig"}
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key.Public()}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return key, file
}
