package consent_test

import (
	"net/http"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
)

// TestStepUp_ByMail: an app's code adds nothing to a code by mail, so it is not asked
// for; with the password it is.
func TestStepUp_ByMail(t *testing.T) {
	w := newWorld(t)
	app := w.enrol(w.ada)
	b := w.browser()
	read, position, err := w.db.UserByLogin(t.Context(), w.ada.UsernameKey)
	w.must(err)
	token, _, err := w.sessions.Start(t.Context(), &accounts.Result{User: read, Position: position, AMR: []string{"otp"}, ACR: accounts.ACRPassword}, accounts.Meta{})
	w.must(err)
	b.jar[w.handler.Cookies.Name(flow.SessionCookie)] = token
	f := w.flow(b)
	again := "/signin?flow=" + f.ID.String() + "&again=1"
	wantRedirect(t, b.get("/second-factor?flow="+f.ID.String()), "https://id.example.com"+again)
	wantPage(t, b.get(again), http.StatusOK, "readonly", `value="ada"`)
	wantRedirect(t, b.post("/second-factor", fill(t, b.factorPage(f, w.ada), "code", app.code())), w.authorize(f))
	session, _, err := w.sessions.Find(t.Context(), b.cookie("session"))
	w.must(err)
	if session.ACR != accounts.ACRTwoFactors {
		t.Errorf("session %+v", session)
	}
}
