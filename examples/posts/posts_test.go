package posts

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/resource"
)

const audience = "http://localhost:8402"

// issuer signs tokens and publishes the key to check them with.
type issuer struct {
	url    string
	signer jose.Signer
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	options := (&jose.SignerOptions{}).WithType("at+jwt")
	key := jose.JSONWebKey{Key: private, KeyID: "k1", Algorithm: string(jose.EdDSA)}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{signer: signer}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"issuer":%q,"jwks_uri":%q}`, i.url, i.url+"/keys")
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		key := jose.JSONWebKey{Key: public, KeyID: "k1", Algorithm: string(jose.EdDSA), Use: "sig"}
		if err := json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}}); err != nil {
			t.Error(err)
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

// token returns an access token of the person "author" for the audience aud.
func (i *issuer) token(t *testing.T, aud, scope string) string {
	t.Helper()
	now := time.Now().Unix()
	payload, err := json.Marshal(map[string]any{
		"iss": i.url, "sub": "author", "aud": aud, "client_id": "app", "jti": "id",
		"iat": now, "exp": now + 600, "scope": scope, "rev": 0,
	})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := i.signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func newAPI(t *testing.T) (http.Handler, *issuer) {
	t.Helper()
	i := newIssuer(t)
	v, err := resource.New(resource.Config{Issuer: i.url, Audience: audience})
	if err != nil {
		t.Fatal(err)
	}
	return New(v, slog.New(slog.DiscardHandler)), i
}

// call sends a JSON request; an empty token sends none.
func call(api http.Handler, method, path, token, body string) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, path, strings.NewReader(body))
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Content-Type", "application/json")
	rec := httptest.NewRecorder()
	api.ServeHTTP(rec, req)
	return rec
}

func TestAnswers(t *testing.T) {
	api, i := newAPI(t)
	reader := i.token(t, audience, "openid")
	adder := i.token(t, audience, "openid posts:add")
	foreign := i.token(t, i.url, "posts:add posts:delete")
	const good = `{"title":"A","body":"b"}`
	tests := []struct {
		name, method, path, token, body string
		status                          int
		header                          string // one that must be there, name and part of the value
	}{
		{"description", "GET", "/", "", "", 200, ""},
		{"metadata", "GET", MetadataPath, "", "", 200, ""},
		{"list", "GET", "/posts", reader, "", 200, ""},
		{"list's head", "HEAD", "/posts", reader, "", 200, ""},
		{"list without token", "GET", "/posts", "", "", 401, "WWW-Authenticate: Bearer realm"},
		{"list with a token for another API", "GET", "/posts", foreign, "", 401, `WWW-Authenticate: error="invalid_token"`},
		{"one", "GET", "/posts/1", reader, "", 200, ""},
		{"one without token", "GET", "/posts/1", "", "", 401, ""},
		{"none", "GET", "/posts/99", reader, "", 404, ""},
		{"id no number", "GET", "/posts/x", reader, "", 404, ""},
		{"id too large", "GET", "/posts/99999999999999999999", reader, "", 404, ""},
		{"add", "POST", "/posts", adder, good, 201, "Location: /posts/"},
		{"add without token", "POST", "/posts", "", good, 401, `WWW-Authenticate: scope="posts:add"`},
		{"add without permission", "POST", "/posts", reader, good, 403, `WWW-Authenticate: error="insufficient_scope"`},
		{"add with another API's permission", "POST", "/posts", foreign, good, 401, ""},
		{"delete without token", "DELETE", "/posts/1", "", "", 401, ""},
		{"delete with posts:add", "DELETE", "/posts/1", adder, "", 403, `WWW-Authenticate: scope="posts:delete"`},
		{"no JSON", "POST", "/posts", adder, `title=A`, 400, ""},
		{"nothing", "POST", "/posts", adder, ``, 400, ""},
		{"two values", "POST", "/posts", adder, good + good, 400, ""},
		{"author forged", "POST", "/posts", adder, `{"title":"A","body":"b","author":"admin"}`, 400, ""},
		{"title missing", "POST", "/posts", adder, `{"body":"b"}`, 400, ""},
		{"title of spaces", "POST", "/posts", adder, `{"title":"  ","body":"b"}`, 400, ""},
		{"title too long", "POST", "/posts", adder, `{"title":"` + strings.Repeat("ä", 201) + `","body":"b"}`, 400, ""},
		{"title as long as may be", "POST", "/posts", adder, `{"title":"` + strings.Repeat("ä", 200) + `","body":"b"}`, 201, ""},
		{"body missing", "POST", "/posts", adder, `{"title":"A"}`, 400, ""},
		{"body too long", "POST", "/posts", adder, `{"title":"A","body":"` + strings.Repeat("x", 10_001) + `"}`, 400, ""},
		{"request too large", "POST", "/posts", adder, `{"title":"A","body":"` + strings.Repeat("x", maxRequestBytes) + `"}`, 413, ""},
		{"spaces behind that are too many", "POST", "/posts", adder, good + strings.Repeat(" ", maxRequestBytes), 413, ""},
		{"unknown path", "GET", "/nowhere", "", "", 404, ""},
		{"method of the root", "POST", "/", "", "", 405, "Allow: GET, HEAD"},
		{"method of the list", "PUT", "/posts", adder, good, 405, "Allow: GET, HEAD, POST"},
		{"method of a post", "PATCH", "/posts/1", adder, good, 405, "Allow: GET, HEAD, DELETE"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rec := call(api, tt.method, tt.path, tt.token, tt.body)
			if rec.Code != tt.status {
				t.Errorf("status %d, want %d: %s", rec.Code, tt.status, rec.Body)
			}
			if kind := rec.Header().Get("Content-Type"); kind != "application/json" {
				t.Errorf("content type %q", kind)
			}
			var document any
			if err := json.Unmarshal(rec.Body.Bytes(), &document); err != nil {
				t.Errorf("body %q: %v", rec.Body, err)
			}
			name, value, _ := strings.Cut(tt.header, ": ")
			if got := rec.Header().Get(name); tt.header != "" && !strings.Contains(got, value) {
				t.Errorf("%s is %q, want %q in it", name, got, value)
			}
		})
	}
}

func TestOnlyJSON(t *testing.T) {
	api, i := newAPI(t)
	for _, kind := range []string{"", "text/plain", "application/jsonx", "multipart/form-data; boundary=x"} {
		req := httptest.NewRequest("POST", "/posts", strings.NewReader(`{"title":"A","body":"b"}`))
		req.Header.Set("Authorization", "Bearer "+i.token(t, audience, "posts:add"))
		req.Header.Set("Content-Type", kind)
		rec := httptest.NewRecorder()
		api.ServeHTTP(rec, req)
		if rec.Code != http.StatusUnsupportedMediaType {
			t.Errorf("content type %q: status %d, want 415", kind, rec.Code)
		}
	}
}

func TestLifeOfAPost(t *testing.T) {
	api, i := newAPI(t)
	token := i.token(t, audience, "posts:add posts:delete")
	added := call(api, "POST", "/posts", token, `{"title":" Hello ","body":"<b>world</b>"}`)
	location := added.Header().Get("Location")
	want := Post{ID: 4, Title: "Hello", Body: "<b>world</b>", Author: "author"}
	for name, body := range map[string]*bytes.Buffer{
		"added": added.Body, "shown": call(api, "GET", location, token, "").Body,
	} {
		var got Post
		if err := json.Unmarshal(body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s post differs (-want +got):\n%s", name, diff)
		}
	}
	var list struct{ Posts []Post }
	if err := json.Unmarshal(call(api, "GET", "/posts", token, "").Body.Bytes(), &list); err != nil {
		t.Fatal(err)
	}
	if len(list.Posts) != 4 || list.Posts[3] != want {
		t.Errorf("the list is %v", list.Posts)
	}
	deleted := call(api, "DELETE", location, token, "")
	if deleted.Code != http.StatusNoContent || deleted.Body.Len() != 0 {
		t.Errorf("delete answers %d %q", deleted.Code, deleted.Body)
	}
	for _, method := range []string{"DELETE", "GET"} {
		if rec := call(api, method, location, token, ""); rec.Code != http.StatusNotFound {
			t.Errorf("%s afterwards answers %d, want 404", method, rec.Code)
		}
	}
	again := call(api, "POST", "/posts", token, `{"title":"Hello","body":"again"}`)
	if got := again.Header().Get("Location"); got == location {
		t.Errorf("id used again: %s", got)
	}
}

// TestStoreUnderLoad: many add at once; each id is given once and the bound
// holds.
func TestStoreUnderLoad(t *testing.T) {
	s := newStore()
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for range maxPosts / 32 {
				s.add(Post{Title: "x"})
			}
		})
	}
	wg.Wait()
	seen := map[int64]bool{}
	for _, p := range s.list() {
		if seen[p.ID] {
			t.Errorf("id %d twice", p.ID)
		}
		seen[p.ID] = true
	}
	if len(seen) != maxPosts {
		t.Errorf("%d posts, want %d", len(seen), maxPosts)
	}
}

func TestFull(t *testing.T) {
	api, i := newAPI(t)
	token := i.token(t, audience, "posts:add")
	var last int
	for range maxPosts {
		last = call(api, "POST", "/posts", token, `{"title":"A","body":"b"}`).Code
	}
	if last != http.StatusInsufficientStorage {
		t.Errorf("a full store answers %d, want 507", last)
	}
}
