package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type corsAnswer struct {
	Status                                        int
	Origin, Methods, Headers, Expose, Credentials string
	Vary                                          []string
}

func askCORS(h http.Handler, method string, origins []string, preflight string) corsAnswer {
	r := httptest.NewRequest(method, "/oauth2/token", nil)
	if origins != nil {
		r.Header["Origin"] = origins
	}
	if preflight != "" {
		r.Header.Set("Access-Control-Request-Method", preflight)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	get := w.Header().Get
	return corsAnswer{w.Code, get("Access-Control-Allow-Origin"), get("Access-Control-Allow-Methods"), get("Access-Control-Allow-Headers"),
		get("Access-Control-Expose-Headers"), get("Access-Control-Allow-Credentials"), w.Header().Values("Vary")}
}

func TestAttack_190_CORS(t *testing.T) {
	next := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusAccepted) })
	dynamic := (&CORS{
		Methods: []string{"POST"}, Headers: []string{"Authorization", "Content-Type"}, Expose: []string{"WWW-Authenticate"},
		AllowOrigin: func(_ context.Context, origin string, _ *http.Request) bool {
			return origin == "https://app.example" || origin == "http://localhost:3000" || origin == "null"
		},
	}).Wrap(next)
	open := OpenCORS(next)
	plainVary, preVary := []string{"Origin"}, []string{"Origin", "Access-Control-Request-Method, Access-Control-Request-Headers"}
	refused, refusedPre := corsAnswer{Status: 202, Vary: plainVary}, corsAnswer{Status: 403, Vary: preVary}
	for name, tc := range map[string]struct {
		h         http.Handler
		method    string
		origins   []string
		preflight string
		want      corsAnswer
	}{
		"allowed":             {dynamic, "POST", []string{"https://app.example"}, "", corsAnswer{Status: 202, Origin: "https://app.example", Expose: "WWW-Authenticate", Vary: plainVary}},
		"loopback with port":  {dynamic, "POST", []string{"http://localhost:3000"}, "", corsAnswer{Status: 202, Origin: "http://localhost:3000", Expose: "WWW-Authenticate", Vary: plainVary}},
		"preflight":           {dynamic, "OPTIONS", []string{"https://app.example"}, "POST", corsAnswer{Status: 204, Origin: "https://app.example", Methods: "POST", Headers: "Authorization, Content-Type", Vary: preVary}},
		"no origin":           {dynamic, "POST", nil, "", refused},
		"stranger":            {dynamic, "POST", []string{"https://evil-app.example"}, "", refused},
		"suffix":              {dynamic, "POST", []string{"https://app.example.evil.example"}, "", refused},
		"stranger, preflight": {dynamic, "OPTIONS", []string{"https://evil.example"}, "POST", refusedPre},
		"null":                {dynamic, "POST", []string{"null"}, "", refused},
		"null, preflight":     {dynamic, "OPTIONS", []string{"null"}, "POST", refusedPre},
		"two origins":         {dynamic, "POST", []string{"https://app.example", "https://app.example"}, "", refused},
		"list":                {dynamic, "POST", []string{"https://app.example https://evil.example"}, "", refused},
		"upper case":          {dynamic, "POST", []string{"https://APP.example"}, "", refused},
		"path":                {dynamic, "POST", []string{"https://app.example/"}, "", refused},
		"user":                {dynamic, "POST", []string{"https://app.example@evil.example"}, "", refused},
		"default port":        {dynamic, "POST", []string{"https://app.example:443"}, "", refused},
		"plain OPTIONS":       {dynamic, "OPTIONS", nil, "", refused},
		"open":                {open, "GET", []string{"https://any.example"}, "", corsAnswer{Status: 202, Origin: "*", Vary: plainVary}},
		"open, preflight":     {open, "OPTIONS", []string{"https://any.example"}, "GET", corsAnswer{Status: 204, Origin: "*", Methods: "GET, HEAD", Headers: "MCP-Protocol-Version", Vary: preVary}},
		"open, null":          {open, "GET", []string{"null"}, "", refused},
		"open, no origin":     {open, "GET", nil, "", refused},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(tc.want, askCORS(tc.h, tc.method, tc.origins, tc.preflight)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAttack_169_CrossOriginPost(t *testing.T) {
	h, err := CrossOrigin(mustURL(t, "https://id.example/path"), nil, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		method, host, site, origin string
		want                       int
	}{
		"own page":              {"POST", "id.example", "same-origin", "https://id.example", 200},
		"own page, no referrer": {"POST", "id.example", "same-origin", "null", 200},
		"typed":                 {"POST", "id.example", "none", "", 200},
		"behind a proxy":        {"POST", "internal:8400", "cross-site", "https://id.example", 200},
		"other site":            {"POST", "id.example", "cross-site", "https://evil.example", 403},
		"sibling":               {"POST", "id.example", "same-site", "https://evil.id.example", 403},
		"sandboxed":             {"POST", "id.example", "cross-site", "null", 403},
		"old browser":           {"POST", "id.example", "", "https://evil.example", 403},
		"old browser, null":     {"POST", "id.example", "", "null", 403},
		"old browser, own":      {"POST", "id.example", "", "https://id.example", 200},
		"not a browser":         {"POST", "id.example", "", "", 200},
		"link from other site":  {"GET", "id.example", "cross-site", "https://evil.example", 200},
		"DELETE":                {"DELETE", "id.example", "cross-site", "https://evil.example", 403},
	} {
		r := httptest.NewRequest(tc.method, "/", nil)
		r.Host = tc.host
		if tc.site != "" {
			r.Header.Set("Sec-Fetch-Site", tc.site)
		}
		if tc.origin != "" {
			r.Header.Set("Origin", tc.origin)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != tc.want {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if _, err := CrossOrigin(mustURL(t, "/"), nil, h); err == nil {
		t.Error("an issuer without origin was taken")
	}
}

func TestCrossOriginDeniedHandler(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
	h, err := CrossOrigin(mustURL(t, "https://id.example"), page, http.NotFoundHandler())
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("POST", "/", nil)
	r.Header.Set("Sec-Fetch-Site", "cross-site")
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	if w.Code != http.StatusTeapot {
		t.Errorf("%d", w.Code)
	}
}
