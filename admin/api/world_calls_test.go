package api_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin/api"
)

// answer is what the API said.
type answer struct {
	status int
	header http.Header
	json   map[string]any
	raw    string
}

// str is a member that is a string.
func (a answer) str(name string) string {
	s, _ := a.json[name].(string)
	return s
}

// items are the members of a list.
func (a answer) items() []map[string]any {
	list, _ := a.json["items"].([]any)
	items := make([]map[string]any, len(list))
	for i := range list {
		items[i], _ = list[i].(map[string]any)
	}
	return items
}

// problem is the word at the end of a problem's type.
func (a answer) problem() string {
	_, word, _ := strings.Cut(a.str("type"), "#problem-")
	return word
}

// call asks the API at a path below its base. A body that is a string is sent as it is;
// header are names and values.
func (w *world) call(token, method, path string, body any, header ...string) answer {
	w.Helper()
	var reader io.Reader
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	default:
		encoded, err := json.Marshal(b)
		w.must(err)
		reader = bytes.NewReader(encoded)
	}
	if !strings.HasPrefix(path, api.Base) {
		path = api.Base + path
	}
	r := httptest.NewRequest(method, issuer+path, reader)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	if reader != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.server.ServeHTTP(rec, r)
	a := answer{status: rec.Code, header: rec.Header(), raw: rec.Body.String()}
	if a.raw != "" && strings.Contains(a.header.Get("Content-Type"), "json") {
		if err := json.Unmarshal(rec.Body.Bytes(), &a.json); err != nil {
			w.Errorf("%s %s answers %q: %v", method, path, a.raw, err)
		}
	}
	return a
}

// want fails unless the answer has a status and, where one is given, is a problem of a
// kind.
func (w *world) want(a answer, status int, problem string) answer {
	w.Helper()
	if a.status != status || problem != "" && a.problem() != problem {
		w.Fatalf("answered %d %s, want %d %s: %s", a.status, a.problem(), status, problem, a.raw)
	}
	return a
}

// user is the path of somebody.
func user(u *accounts.User, more ...string) string {
	return "/users/" + u.Subject + strings.Join(append([]string{""}, more...), "/")
}
