package statuslist

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/resource/revset"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// fake is store, ledger and keys of a test in memory.
type fake struct {
	mu        sync.Mutex
	now       time.Time
	lists     map[int64]*fakeList
	entries   map[Place]Entry
	rows      []revocation.Row
	err       error // of Point
	confirmed time.Duration
	records   []keys.Record
	taken     atomic.Int64
	made      atomic.Int64 // how often a list was read
	hold      chan struct{}
}

type fakeList struct {
	use
	next int64
}

func (f *fake) TakeStatusIndexes(_ context.Context, audience, algorithm string, n int) (Place, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken.Add(1)
	u := use{audience, algorithm}
	for number, l := range f.lists {
		if l.use == u && l.next+int64(n) <= Size {
			l.next += int64(n)
			return Place{number, l.next - int64(n)}, nil
		}
	}
	number := int64(1000 + f.taken.Load())
	f.lists[number] = &fakeList{u, int64(n)}
	return Place{number, 0}, nil
}

func (f *fake) InsertStatusEntry(_ context.Context, e Entry) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, taken := f.entries[e.Place]; taken {
		return accounts.ErrConflict
	}
	if f.lists[e.List] == nil {
		return accounts.ErrNotFound
	}
	f.entries[e.Place] = e
	return nil
}

func (f *fake) StatusList(_ context.Context, number int64) (List, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	l := f.lists[number]
	if l == nil {
		return List{}, accounts.ErrNotFound
	}
	return List{number, l.audience, l.algorithm}, nil
}

func (f *fake) StatusEntries(_ context.Context, number, from, now int64, limit int) ([]Entry, error) {
	if f.hold != nil {
		<-f.hold
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if from == 0 {
		f.made.Add(1)
	}
	var found []Entry
	for at, e := range f.entries {
		if at.List == number && at.Index >= from && e.ExpiresAt > now {
			found = append(found, e)
		}
	}
	slices.SortFunc(found, func(a, b Entry) int { return int(a.Index - b.Index) })
	return found[:min(limit, len(found))], nil
}

func (f *fake) StatusLists(context.Context, int) ([]int64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var numbers []int64
	for n := range f.lists {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	return numbers, nil
}

func (f *fake) Point(context.Context) (revocation.Point, error) {
	return revocation.Point{Confirmed: f.clock().Add(-f.confirmed)}, f.err
}

func (f *fake) Query(k revocation.Keys) revset.Query { return revset.Query{Rev: k.Rev} }

// Revoked asks by the definition.
func (f *fake) Revoked(_ context.Context, _ *revset.Query, k func() revocation.Keys) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.ContainsFunc(f.rows, func(r revocation.Row) bool { return r.Matches(k()) }), nil
}

func (f *fake) clock() time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.now
}

func (f *fake) advance(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

func (f *fake) revoke(kind revocation.Kind, key string) { f.add(revocation.Row{Kind: kind, Key: key}) }

func (f *fake) add(row revocation.Row) {
	f.mu.Lock()
	defer f.mu.Unlock()
	row.Position = int64(len(f.rows)) + 100
	f.rows = append(f.rows, row)
}

// The signing keys.

func (f *fake) InTx(ctx context.Context, do func(ctx context.Context) error) error { return do(ctx) }
func (f *fake) Keys(context.Context) ([]keys.Record, int64, error)                 { return f.records, 0, nil }
func (f *fake) Change(context.Context) (int64, error)                              { return 0, nil }
func (f *fake) LockKeys(context.Context) error                                     { return nil }
func (f *fake) UpdateKey(context.Context, keys.Record) error                       { return nil }
func (f *fake) InsertKey(_ context.Context, r keys.Record) error {
	f.records = append(f.records, r)
	return nil
}
func (f *fake) WriteAudit(context.Context, audit.Event) error { return nil }

const testIssuer = "http://localhost:8400/id"

// newLists returns lists on a fake, and what serves them.
func newLists(t *testing.T) (*Lists, *fake, http.Handler) {
	t.Helper()
	f := &fake{now: time.Unix(1_900_000_000, 0), lists: map[int64]*fakeList{}, entries: map[Place]Entry{}}
	keyring, err := secret.NewKeyring(secret.Text(strings.Repeat("k", 40)))
	if err != nil {
		t.Fatal(err)
	}
	keeper := &keys.Keeper{Store: f, Keyring: keyring, Now: f.clock}
	if err := keeper.Ensure(t.Context(), audit.Actor{Kind: audit.System, ID: "test"}); err != nil {
		t.Fatal(err)
	}
	base, _ := url.Parse(testIssuer)
	l := &Lists{
		Issuer: base, Store: f, Ledger: f, Keys: keys.NewRing(f, keyring), Now: f.clock,
		Log: slog.New(slog.DiscardHandler),
	}
	router := mux.NewRouter()
	l.Mount(router)
	return l, f, router
}

// place gives a token a place and returns its URI and index.
func place(t *testing.T, l *Lists, f *fake, k revocation.Keys) (string, int64) {
	t.Helper()
	uri, index, err := l.Place(t.Context(), "https://api", keys.ES256, k, f.clock().Add(10*time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	return uri, index
}

func get(h http.Handler, target string, header ...string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, target, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

// fetched is a list as a verifier reads it.
type fetched struct {
	claims
	header map[string]any
	list   []byte
}

func (f fetched) bit(index int64) bool { return f.list[index/8]>>(index%8)&1 == 1 }

// fetch gets a list and verifies it as section 8.3 of the draft says.
func fetch(t *testing.T, l *Lists, h http.Handler, uri string) fetched {
	t.Helper()
	resp := get(h, uri, "Accept", "application/statuslist+jwt")
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || resp.Header.Get("Content-Type") != "application/statuslist+jwt" {
		t.Fatalf("%d %v %s %v", resp.StatusCode, resp.Header, body, err)
	}
	jws, err := jose.ParseSignedCompact(string(body), []jose.SignatureAlgorithm{jose.ES256})
	if err != nil {
		t.Fatal(err)
	}
	set, err := l.Keys.Current(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	key, ok := set.Verifier(jws.Signatures[0].Header.KeyID)
	if !ok {
		t.Fatal("an unknown key")
	}
	payload, err := jws.Verify(key.Public)
	if err != nil {
		t.Fatal(err)
	}
	var out fetched
	head, _, _ := strings.Cut(string(body), ".")
	decoded, _ := base64.RawURLEncoding.DecodeString(head)
	if err := errors.Join(json.Unmarshal(payload, &out.claims), json.Unmarshal(decoded, &out.header)); err != nil {
		t.Fatal(err)
	}
	compressed, err := base64.RawURLEncoding.Strict().DecodeString(out.List.List)
	if err != nil {
		t.Fatal(err)
	}
	out.list = inflate(t, compressed)
	return out
}

func TestDocument(t *testing.T) {
	l, f, h := newLists(t)
	uri, index := place(t, l, f, revocation.Keys{ID: "one"})
	f.revoke(revocation.Token, "one")
	f.confirmed = 2 * time.Second
	got := fetch(t, l, h, uri)
	at := f.clock().Unix() - 2
	want := claims{
		Issuer: testIssuer, Subject: uri, IssuedAt: at, ExpiresAt: at + 120, TTL: 30,
		List: statusList{Bits: 1, List: got.List.List, Aggregation: testIssuer + "/status"},
	}
	if diff := cmp.Diff(want, got.claims); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got.header["typ"] != "statuslist+jwt" || got.header["alg"] != "ES256" {
		t.Errorf("header %v", got.header)
	}
	if len(got.list) != Size/8 || !got.bit(index) {
		t.Errorf("%d bytes, bit %t", len(got.list), got.bit(index))
	}
	if !strings.HasPrefix(uri, testIssuer+"/status/") {
		t.Errorf("URI %s", uri)
	}
	var all map[string][]string
	if err := json.NewDecoder(get(h, l.AggregationURL()).Body).Decode(&all); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string][]string{"status_lists": {uri}}, all); diff != "" {
		t.Errorf("aggregation (-want +got):\n%s", diff)
	}
}

// TestEveryKindSetsTheBit: one token for each kind of row, and one that nothing
// matches.
func TestEveryKindSetsTheBit(t *testing.T) {
	l, f, h := newLists(t)
	keysOf := func(own revocation.Kind) revocation.Keys {
		k := revocation.Keys{
			ID: "jti", SessionID: "sid", GrantID: "gid", Subject: "sub", ClientID: "client", KeyID: "kid", Scopes: []string{"openid", "perm"}, Rev: 50,
		}
		switch own {
		case revocation.Token:
			k.ID = "x"
		case revocation.Session:
			k.SessionID = "x"
		case revocation.Grant:
			k.GrantID = "x"
		case revocation.User, revocation.Membership:
			k.Subject = "x" + string(own)
		case revocation.Permission:
			k.Scopes = []string{"openid", "x"}
		case revocation.Client:
			k.ClientID = "x"
		case revocation.Key:
			k.KeyID = "x"
		}
		return k
	}
	uri, untouched := place(t, l, f, keysOf(""))
	index := map[revocation.Kind]int64{}
	for _, kind := range revocation.Kinds() {
		if kind != revocation.All {
			_, index[kind] = place(t, l, f, keysOf(kind))
		}
	}
	_, fresh := place(t, l, f, func() revocation.Keys { k := keysOf(""); k.Rev = 1000; return k }())
	for kind, at := range index {
		if fetch(t, l, h, uri).bit(at) {
			t.Errorf("%s is set before its row", kind)
		}
		key := "x"
		if kind == revocation.User || kind == revocation.Membership {
			key += string(kind)
		}
		f.revoke(kind, key)
		f.advance(l.ttl() / 2)
		list := fetch(t, l, h, uri)
		if !list.bit(at) || list.bit(untouched) {
			t.Errorf("after a row of kind %s: %t, the untouched %t", kind, list.bit(at), list.bit(untouched))
		}
	}
	f.add(revocation.Row{Kind: revocation.All, Audience: "https://other"})
	f.advance(l.ttl() / 2)
	if fetch(t, l, h, uri).bit(untouched) {
		t.Error("after a row for all tokens for another API")
	}
	f.add(revocation.Row{Kind: revocation.All, Audience: "https://api"})
	f.advance(l.ttl() / 2)
	if list := fetch(t, l, h, uri); !list.bit(untouched) || list.bit(fresh) {
		t.Errorf("after a row for all tokens for the API: %t, a token from after it %t", list.bit(untouched), list.bit(fresh))
	}
	if _, other := place(t, l, f, keysOf(revocation.User)); other == index[revocation.User] {
		t.Error("a place was given twice")
	}
}

// TestTheBitOutlivesTheToken: a verifier whose clock is behind, or who allows for
// that, must not see a revoked token good again in the moment in which it ends.
func TestTheBitOutlivesTheToken(t *testing.T) {
	l, f, h := newLists(t)
	uri, index := place(t, l, f, revocation.Keys{ID: "one"})
	f.revoke(revocation.Token, "one")
	for _, c := range []struct {
		pass time.Duration
		want bool
	}{{0, true}, {10 * time.Minute, true}, {time.Minute, true}, {time.Minute, false}} {
		f.advance(c.pass)
		if got := fetch(t, l, h, uri).bit(index); got != c.want {
			t.Errorf("after %s more: %t", c.pass, got)
		}
	}
}

// TestMadeOnceInHalfATTL: many who ask share one making, and one document until
// half its life is over; what expired is not read again.
func TestMadeOnceInHalfATTL(t *testing.T) {
	l, f, h := newLists(t)
	uri, index := place(t, l, f, revocation.Keys{ID: "one"})
	f.hold = make(chan struct{})
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got := get(h, uri); got.StatusCode != http.StatusOK {
				t.Errorf("status %d", got.StatusCode)
			}
		})
	}
	close(f.hold)
	wg.Wait()
	if n := f.made.Load(); n != 1 {
		t.Errorf("made %d times", n)
	}
	f.revoke(revocation.Token, "one")
	f.advance(14 * time.Second)
	first := get(h, uri)
	if list := fetch(t, l, h, uri); list.bit(index) || first.Header.Get("Cache-Control") != "public, max-age=16" {
		t.Errorf("made anew too early, or %q", first.Header.Get("Cache-Control"))
	}
	etag := first.Header.Get("ETag")
	if got := get(h, uri, "If-None-Match", `"x", W/`+etag); got.StatusCode != http.StatusNotModified || got.Header.Get("ETag") != etag {
		t.Errorf("the same list: %d", got.StatusCode)
	}
	f.advance(time.Second)
	if got := get(h, uri, "If-None-Match", etag); got.StatusCode != http.StatusOK || got.Header.Get("Cache-Control") != "public, max-age=30" {
		t.Errorf("a new list: %d %q", got.StatusCode, got.Header.Get("Cache-Control"))
	}
	if !fetch(t, l, h, uri).bit(index) {
		t.Error("the bit is not set after half a TTL")
	}
	f.advance(12 * time.Minute)
	if fetch(t, l, h, uri).bit(index) {
		t.Error("an expired token is still read")
	}
}

// TestStale: a list that might not say what was revoked is not made.
func TestStale(t *testing.T) {
	l, f, h := newLists(t)
	uri, _ := place(t, l, f, revocation.Keys{ID: "one"})
	f.err = revocation.ErrStale
	got := get(h, uri)
	if got.StatusCode != http.StatusServiceUnavailable || got.Header.Get("Retry-After") == "" || got.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", got.StatusCode, got.Header)
	}
	f.err = nil
	if got := get(h, uri); got.StatusCode != http.StatusOK {
		t.Errorf("after it: %d", got.StatusCode)
	}
}

func TestRefusals(t *testing.T) {
	l, f, h := newLists(t)
	uri, _ := place(t, l, f, revocation.Keys{ID: "one"})
	for _, c := range []struct {
		what, target string
		header       []string
		want         int
	}{
		{"history", uri + "?time=1686925000", nil, http.StatusNotImplemented},
		{"the CBOR form", uri, []string{"Accept", "application/statuslist+cwt"}, http.StatusNotAcceptable},
		{"either form", uri, []string{"Accept", "application/statuslist+cwt, application/statuslist+jwt;q=0.5"}, http.StatusOK},
		{"any form", uri, []string{"Accept", "*/*"}, http.StatusOK},
		{"a dead list", testIssuer + "/status/zz", nil, http.StatusNotFound},
		{"no name", testIssuer + "/status/0", nil, http.StatusNotFound},
		{"another spelling", strings.ToUpper(uri), nil, http.StatusNotFound},
	} {
		if got := get(h, c.target, c.header...); got.StatusCode != c.want {
			t.Errorf("%s: %d, want %d", c.what, got.StatusCode, c.want)
		}
	}
	r := httptest.NewRequest(http.MethodPost, uri, nil)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d", w.Code)
	}
	if got := get(h, uri, "Origin", "https://page.example.com").Header.Get("Access-Control-Allow-Origin"); got != "*" {
		t.Errorf("a page of another origin: %q", got)
	}
}

// TestPlaces: blocks are used up before another is taken, given up with age, and
// left when their list is gone or their place is not free.
func TestPlaces(t *testing.T) {
	l, f, _ := newLists(t)
	seen := map[string]bool{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range blockSize / 4 {
				uri, index, err := l.Place(t.Context(), "https://api", keys.ES256, revocation.Keys{}, f.clock())
				mu.Lock()
				if at := fmt.Sprint(uri, index); err != nil || seen[at] {
					t.Errorf("%s again, or %v", at, err)
				} else {
					seen[at] = true
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if n := f.taken.Load(); n != 2 {
		t.Errorf("%d blocks for two blocks of tokens", n)
	}
	_, before := place(t, l, f, revocation.Keys{})
	f.advance(blockLife)
	if _, index := place(t, l, f, revocation.Keys{}); index == before+1 {
		t.Error("an old block is still used")
	}
	// A list that was retired.
	old, _ := place(t, l, f, revocation.Keys{})
	f.mu.Lock()
	clear(f.lists)
	f.mu.Unlock()
	fresh, index := place(t, l, f, revocation.Keys{})
	if fresh == old || index != 0 {
		t.Errorf("after the list was retired: %s %d", fresh, index)
	}
	// A restored backup gave this node's block to another one.
	number, _ := parseName(fresh[strings.LastIndex(fresh, "/")+1:])
	f.mu.Lock()
	f.entries[Place{number, 1}] = Entry{}
	f.mu.Unlock()
	if _, index := place(t, l, f, revocation.Keys{}); index < blockSize {
		t.Errorf("in a block that was given twice: %d", index)
	}
}
