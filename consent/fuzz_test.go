package consent_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/web"
)

// refusing knows no password, at no cost.
type refusing struct{}

func (refusing) Authenticate(context.Context, accounts.Attempt) (*accounts.Result, error) {
	return nil, accounts.ErrCredentials
}

// FuzzSteps sends anything as query and as form to every page, from a signed-in
// browser with a flow under way. Whatever comes: no fault, no redirect but to the
// issuer, no session, and no consent without the form's token.
func FuzzSteps(f *testing.F) {
	w := newWorld(f)
	b := w.browser()
	b.enter(w.ada)
	way := w.flow(b)
	w.handler.Authenticator = refusing{}
	flowID := way.ID.String()
	for _, seed := range []string{
		"flow=" + flowID, "flow=" + flowID + "&switch=1", "flow=" + flowID + ".AAAA&action=allow&scope=email&scope=posts:add",
		"flow=." + "&username=ada&password=x", "flow=%00", "flow=&flow=", "return=//evil&theme=dark&lang=tlh", "flow=" + flowID + "%3D",
	} {
		for page := range byte(5) {
			f.Add(page, seed, seed)
		}
	}
	paths := []string{"/", "/signin", flow.PathSelectAccount, flow.PathConsent, "/preferences"}
	f.Fuzz(func(t *testing.T, page byte, query, body string) {
		path := paths[int(page)%len(paths)]
		read := httptest.NewRequest(http.MethodGet, "https://id.example.com"+path, nil)
		read.URL.RawQuery = query
		write := httptest.NewRequest(http.MethodPost, "https://id.example.com"+path, strings.NewReader(body))
		write.URL.RawQuery = query
		write.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		for _, r := range []*http.Request{read, write} {
			for name, value := range b.jar {
				r.AddCookie(&http.Cookie{Name: name, Value: value})
			}
			answer := httptest.NewRecorder()
			w.server.ServeHTTP(answer, r)
			if answer.Code >= http.StatusInternalServerError {
				t.Fatalf("%s %s?%q %q: status %d", r.Method, path, query, body, answer.Code)
			}
			if to := answer.Header().Get("Location"); to != "" {
				back, ok := strings.CutPrefix(to, "https://id.example.com")
				if _, safe := web.SafePath(back); !ok || !safe {
					t.Fatalf("redirect to %q", to)
				}
			}
			if strings.Contains(answer.Body.String(), "<script>") {
				t.Fatalf("markup came through: %s", answer.Body)
			}
		}
		w.log.Reset()
		if s, err := w.db.FlowByID(t.Context(), way.ID); err != nil || s.ConsentedBy != "" || s.DeniedAt != 0 || s.AccountChosenAt != 0 {
			t.Fatalf("something was done: %+v, %v", s, err)
		}
	})
}
