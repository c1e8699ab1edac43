package endtoend_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

// feigned is an issuer that says on its feed what a real one never would.
type feigned struct {
	t        *testing.T
	url      string
	audience string
	api      client
	key      *ecdsa.PrivateKey

	mu       sync.Mutex
	kids     []string      // under which the key is published
	moved    chan struct{} // closed when something below changes
	timeline string
	position int64
	hashKey  []byte
	rows     []wire.Row
	access   string                 // what the feed takes for an access token
	reset    string                 // reason of the reset that streams get next
	spoil    func(*wire.Frame)      // applied to whatever is sent
	gap      bool                   // the next frame of a stream does not continue
	active   bool                   // what introspection answers
	count    map[string]int         // requests by path
	reports  map[string]wire.Report // by instance
}

func feign(t *testing.T) *feigned {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	f := &feigned{
		t: t, audience: "https://posts.example.com", api: client{"posts api", "s:e/c+r et" + rand.Text()}, key: key,
		kids: []string{"k1"}, moved: make(chan struct{}), timeline: "one", position: 100, hashKey: []byte(rand.Text()), access: rand.Text(), active: true,
		count: map[string]int{}, reports: map[string]wire.Report{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", f.metadata)
	mux.HandleFunc("GET /keys", f.keys)
	mux.HandleFunc("POST /token", f.token)
	mux.HandleFunc("POST /introspect", f.introspect)
	mux.HandleFunc("GET "+wire.PathSnapshot, f.snapshot)
	mux.HandleFunc("GET "+wire.PathStream, f.stream)
	mux.HandleFunc("POST "+wire.PathPosition, f.report)
	server := httptest.NewUnstartedServer(mux)
	f.url = "http://" + server.Listener.Addr().String()
	server.Start()
	t.Cleanup(func() {
		server.CloseClientConnections() // streams do not end by themselves
		server.Close()
	})
	return f
}

// change lets streams notice what edit changes.
func (f *feigned) change(edit func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	edit()
	close(f.moved)
	f.moved = make(chan struct{})
}

// counted returns how often a path was asked for.
func (f *feigned) counted(path string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count[path]
}

// revoke adds a row.
func (f *feigned) revoke(kind, value string) {
	f.change(func() { f.append(kind, value) })
}

func (f *feigned) append(kind, value string) {
	f.position++
	row := wire.Row{Position: f.position, Kind: kind, Expires: time.Now().Add(time.Hour).Unix()}
	if claim, _ := wire.Claim(kind); claim != "" {
		row.Key = wire.Sum(f.hashKey, claim, value).Text()
	}
	f.rows = append(f.rows, row)
}

// sign returns a token; in claims and header nil takes a member away.
func (f *feigned) sign(claims, header map[string]any) string {
	now := time.Now().Unix()
	all := map[string]any{
		"iss": f.url, "aud": f.audience, "sub": "rita", "client_id": "app", "jti": rand.Text(), "sid": "session", "gid": "grant",
		"scope": "openid posts:add", "iat": now, "exp": now + 600, "rev": 100,
	}
	options := (&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", "k1")
	merge(all, claims)
	merge(options.ExtraHeaders, header)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: f.key}, options)
	if err != nil {
		f.t.Fatal(err)
	}
	payload, err := json.Marshal(all)
	if err != nil {
		f.t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		f.t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		f.t.Fatal(err)
	}
	return raw
}

// merge puts changes into all, and takes out what they set to nil.
func merge[K ~string](all map[K]any, changes map[string]any) {
	for name, value := range changes {
		all[K(name)] = value
	}
	maps.DeleteFunc(all, func(_ K, value any) bool { return value == nil })
}

func (f *feigned) metadata(w http.ResponseWriter, _ *http.Request) {
	f.answer(w, map[string]string{
		"issuer": f.url, "jwks_uri": f.url + "/keys", "token_endpoint": f.url + "/token", "introspection_endpoint": f.url + "/introspect",
	})
}

func (f *feigned) keys(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var set jose.JSONWebKeySet
	for _, id := range f.kids {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: f.key.Public(), KeyID: id, Algorithm: "ES256", Use: "sig"})
	}
	f.answer(w, set)
}

func (f *feigned) token(w http.ResponseWriter, r *http.Request) {
	f.note(r)
	if !f.authenticated(r) || r.FormValue("grant_type") != "client_credentials" || r.FormValue("scope") != wire.Scope || r.FormValue("resource") != f.url {
		f.t.Errorf("the example asked for a token with %v", r.Form)
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer(w, map[string]any{"access_token": f.access, "token_type": "Bearer", "expires_in": 600})
}

func (f *feigned) authenticated(r *http.Request) bool {
	id, secret, _ := r.BasicAuth()
	return id == strings.ReplaceAll(f.api.ID, " ", "+") && strings.HasPrefix(secret, "s%3Ae%2Fc%2Br+et")
}

func (f *feigned) introspect(w http.ResponseWriter, r *http.Request) {
	f.note(r)
	if !f.authenticated(r) || r.FormValue("token") == "" {
		f.t.Errorf("the example introspects with %v", r.Form)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer(w, map[string]any{"active": f.active})
}

func (f *feigned) note(r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.count[r.URL.Path]++
}

func (f *feigned) answer(w http.ResponseWriter, document any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(document) // an error means that the example has left
}

// mayFollow answers a request for the feed that lacks the access token.
func (f *feigned) mayFollow(w http.ResponseWriter, r *http.Request) bool {
	f.note(r)
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Header.Get("Authorization") == "Bearer "+f.access {
		return true
	}
	w.WriteHeader(http.StatusUnauthorized)
	return false
}

// frame is what happened since a position.
func (f *feigned) frame(since int64) wire.Frame {
	fr := wire.Frame{Version: wire.Version, Timeline: f.timeline, Prev: since, Position: f.position, Time: time.Now().UnixMilli()}
	for _, row := range f.rows {
		if row.Position > since {
			fr.Rows = append(fr.Rows, row)
		}
	}
	if f.spoil != nil {
		f.spoil(&fr)
	}
	return fr
}

// place is what cursors begin with: they are good for one timeline and secret.
func (f *feigned) place() string {
	return f.timeline + "." + base64.RawURLEncoding.EncodeToString(f.hashKey) + "."
}

func (f *feigned) snapshot(w http.ResponseWriter, r *http.Request) {
	if !f.mayFollow(w, r) {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer(w, wire.Snapshot{
		Frame: f.frame(0), Complete: true, Cursor: fmt.Sprint(f.place(), f.position), HashKey: base64.RawURLEncoding.EncodeToString(f.hashKey),
	})
}

func (f *feigned) stream(w http.ResponseWriter, r *http.Request) {
	if !f.mayFollow(w, r) {
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	fmt.Fprint(w, "retry: 50\n\n: a comment\n\n")
	cursor, access := r.Header.Get("Last-Event-ID"), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	for {
		text, next, moved := f.next(cursor, access)
		if _, err := fmt.Fprint(w, text); err != nil || next == "" || http.NewResponseController(w).Flush() != nil {
			return
		}
		cursor = next
		select {
		case <-moved:
		case <-time.After(500 * time.Millisecond):
		case <-r.Context().Done():
			return
		}
	}
}

// next returns the next event of a stream at a cursor, and the cursor after it;
// none when the stream ends.
func (f *feigned) next(cursor, access string) (text, next string, moved <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	reason := f.reset
	rest, ok := strings.CutPrefix(cursor, f.place())
	var at int64
	if _, err := fmt.Sscan(rest, &at); reason == "" && (!ok || err != nil) {
		reason = "timeline"
	}
	switch {
	case access != f.access:
		return "", "", nil
	case reason != "":
		f.reset = ""
		return fmt.Sprintf("event: reset\ndata: {\"v\":1,\"reason\":%q}\n\n", reason), "", nil
	}
	fr := f.frame(at)
	if f.gap {
		f.gap = false
		fr.Prev++
		fr.Position = max(fr.Position, fr.Prev)
	}
	name := wire.EventHead
	if len(fr.Rows) > 0 {
		name = wire.EventRows
	}
	data, err := json.Marshal(fr)
	if err != nil {
		f.t.Error(err)
	}
	next = fmt.Sprint(f.place(), f.position)
	return fmt.Sprintf("event: %s\nid: %s\ndata: %s\n\n", name, next, data), next, f.moved
}

func (f *feigned) report(w http.ResponseWriter, r *http.Request) {
	if !f.mayFollow(w, r) {
		return
	}
	var report wire.Report
	if err := json.NewDecoder(r.Body).Decode(&report); err != nil {
		f.t.Errorf("report: %v", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reports[report.Instance] = report
	f.answer(w, wire.Reported{ReportAfter: 5})
}

// reported returns the reports so far.
func (f *feigned) reported() []wire.Report {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Values(f.reports))
}
