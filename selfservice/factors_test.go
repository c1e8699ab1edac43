package selfservice_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
)

func TestFactors_AddApp(t *testing.T) {
	w := newFactorWorld(t)
	o := w.owner(w.ada)
	sees(t, o.get("/account/factors"), http.StatusOK, "You have no passkey.", "You have no authenticator app.", "!Recovery codes", "!Remembered browsers", "/account/security")
	page := o.get("/account/factors/app")
	form := hidden(t, page)
	sees(t, page, http.StatusOK, `<svg class="qr"`, "<path d=\"M", "otpauth://totp/", form.Get("key")[:4]+" "+form.Get("key")[4:8], `autocomplete="one-time-code"`, "!recovery-codes.txt")
	// A wrong code leaves the secret as it is: the app has it already.
	answer := o.post("/account/factors/app", hidden(t, page, "code", "12"))
	sees(t, answer, http.StatusUnprocessableEntity, "That code is not right", `<svg class="qr"`)
	if diff := cmp.Diff(form.Get("key"), hidden(t, answer).Get("key")); diff != "" {
		t.Error(diff)
	}
	sees(t, o.post("/account/factors/app", hidden(t, page)), http.StatusUnprocessableEntity, "Type the code.")
	form = hidden(t, answer, "factor_name", "My phone")
	code := o.codeOf(form)
	form.Set("code", code[:3]+" "+code[3:])
	answer = o.post("/account/factors/app", form)
	sees(t, answer, http.StatusOK, "Keep your recovery codes", "They are shown only now", "!no longer work", `download="recovery-codes.txt"`, `href="data:text/plain`, "data-print", "data-copy")
	if n := strings.Count(answer.Body.String(), "<li><code>"); n != 10 {
		t.Errorf("%d codes", n)
	}
	if answer.Header().Get("Cache-Control") != "no-store" {
		t.Error("the codes may be kept")
	}
	list := o.have()
	if len(list.TOTPs) != 1 || list.TOTPs[0].Name != "My phone" || list.RecoveryCodes != 10 {
		t.Errorf("has %+v", list)
	}
	sees(t, o.get("/account/factors"), http.StatusOK, "My phone", "Added 2026-", "10 codes are left.")
	// Sent again, as by the back button, the secret is no good.
	sees(t, o.post("/account/factors/app", form), http.StatusUnprocessableEntity, "This page was open for too long")
	// A second one needs the session of two factors that the first one made.
	w.now = w.now.Add(time.Minute)
	leads(t, o.addApp("Tablet"), "/account/factors?done=added")
	sees(t, o.get("/account/factors?done=added"), http.StatusOK, "Tablet", "Your other sessions have ended")
}

func TestFactors_BadNames(t *testing.T) {
	w := newFactorWorld(t)
	o := w.owner(w.ada)
	for _, name := range []string{strings.Repeat("x", 65), "a\u202eb", "a\x01b"} {
		form := hidden(t, o.get("/account/factors/app"), "factor_name", name)
		form.Set("code", o.codeOf(form))
		answer := o.post("/account/factors/app", form)
		sees(t, answer, http.StatusUnprocessableEntity, "Choose a shorter name", `href="#factor_name"`, "!"+name)
	}
	sees(t, o.addApp(`"><script>alert(1)</script>`), http.StatusOK)
	if body := o.get("/account/factors").Body.String(); strings.Contains(body, "<script>alert") || !strings.Contains(body, "&lt;script&gt;alert") {
		t.Errorf("the name stands in the page as it is:\n%s", body)
	}
}

func TestFactors_AddPasskey(t *testing.T) {
	w := newFactorWorld(t)
	o := w.owner(w.ada)
	device := o.key()
	page := o.get("/account/factors/passkey")
	sees(t, page, http.StatusOK, "Create the passkey", `data-passkey="create"`, "/static/passkey.")
	sees(t, o.post("/account/factors/passkey", hidden(t, page, "response", "{}")), http.StatusUnprocessableEntity, "The passkey was not added")
	// The question was spent by that; the page came with another one.
	answer := o.post("/account/factors/passkey", hidden(t, page, "response", device(attribute(t, page, "data-options"))))
	sees(t, answer, http.StatusUnprocessableEntity, "The passkey was not added")
	answer = o.post("/account/factors/passkey", hidden(t, answer, "response", device(attribute(t, answer, "data-options")), "factor_name", "Key ring"))
	sees(t, answer, http.StatusOK, "Keep your recovery codes")
	if list := o.have(); len(list.Passkeys) != 1 || list.Passkeys[0].Name != "Key ring" {
		t.Errorf("has %+v", list)
	}
	page = o.get("/account/factors/passkey")
	sees(t, page, http.StatusOK, `"excludeCredentials":[{`)
	answer = o.post("/account/factors/passkey", hidden(t, page, "response", device(attribute(t, page, "data-options"))))
	sees(t, answer, http.StatusUnprocessableEntity, "This passkey was added before")
	sees(t, o.post("/account/factors/passkey", hidden(t, page)), http.StatusUnprocessableEntity)
}

func TestFactors_NoPasskeys(t *testing.T) {
	w := newFactorWorld(t)
	w.factors.WebAuthn = nil
	o := w.owner(w.ada)
	sees(t, o.get("/account/factors/passkey"), http.StatusNotFound)
	w.handler.NoPasskeys = true
	sees(t, o.get("/account/factors"), http.StatusOK, "!Passkeys", "Authenticator apps")
}

func TestFactors_RenameAndRemove(t *testing.T) {
	w := newFactorWorld(t)
	o := w.owner(w.ada)
	o.addApp("Phone")
	w.now = w.now.Add(time.Minute)
	o.addApp("Tablet")
	at := "?id=" + o.have().TOTPs[0].ID.String()
	page := o.get("/account/factors/name" + at)
	sees(t, page, http.StatusOK, "Rename Phone", `value="Phone"`)
	answer := o.post("/account/factors/name", hidden(t, page, "factor_name", strings.Repeat("y", 65)))
	sees(t, answer, http.StatusUnprocessableEntity, "Choose a shorter name")
	leads(t, o.post("/account/factors/name", hidden(t, answer, "factor_name", "Old phone")), "/account/factors?done=renamed")
	sees(t, o.get("/account/factors?done=renamed"), http.StatusOK, "Renamed.", "Old phone")

	page = o.get("/account/factors/remove" + at)
	sees(t, page, http.StatusOK, "Remove Old phone?", "danger")
	if o.have().Count() != 2 {
		t.Fatal("a page was opened, and the factor is gone")
	}
	leads(t, o.post("/account/factors/remove", hidden(t, page)), "/account/factors?done=removed")
	leads(t, o.post("/account/factors/remove", hidden(t, page)), "/account/factors")
	if list := o.have(); list.Count() != 1 || list.TOTPs[0].Name != "Tablet" {
		t.Errorf("has %+v", list)
	}
}

// 222: the last factor of somebody who needs one stays, whatever the page said.
func TestAttack_222_LastFactor(t *testing.T) {
	w := newFactorWorld(t)
	o := w.owner(w.ada)
	o.addApp("Phone")
	at := "?id=" + o.have().TOTPs[0].ID.String()
	page := o.get("/account/factors/remove" + at)
	_, err := w.groups.Create(t.Context(), factorOperator(), "Staff", "")
	w.must(err)
	w.must(w.groups.AddMember(t.Context(), factorOperator(), "Staff", w.ada.Subject, 0))
	w.must(w.groups.SetSecondFactor(t.Context(), factorOperator(), "Staff", true))
	leads(t, o.post("/account/factors/remove", hidden(t, page)), "/account/factors?done=last")
	sees(t, o.get("/account/factors?done=last"), http.StatusOK, "it is your last one", "add another before you remove it", "!/account/factors/remove")
	if o.have().Count() != 1 {
		t.Error("it is gone")
	}
}

func TestFactors_RecoveryCodes(t *testing.T) {
	w := newFactorWorld(t)
	o := w.owner(w.ada)
	leads(t, o.post("/account/factors/recovery", hidden(t, o.get("/account/factors/recovery"))), "/account/factors")
	before := o.addApp("Phone").Body.String()
	page := o.get("/account/factors/recovery")
	sees(t, page, http.StatusOK, "Make new recovery codes?", "stop working at once")
	answer := o.post("/account/factors/recovery", hidden(t, page))
	sees(t, answer, http.StatusOK, "Your new recovery codes", "no longer work")
	if codes := strings.SplitAfter(answer.Body.String(), "<li><code>"); len(codes) != 11 || strings.Contains(before, codes[1][:14]) {
		t.Errorf("%d parts, or the codes of before", len(codes))
	}
	for _, path := range []string{"/account/factors", "/account/factors/recovery"} {
		sees(t, o.get(path), http.StatusOK, "!<li><code>")
	}
}

func TestFactors_ForgetBrowsers(t *testing.T) {
	w := newFactorWorld(t)
	o := w.owner(w.ada)
	form := hidden(t, o.get("/account/factors/app"))
	form.Set("code", o.codeOf(form))
	sees(t, o.post("/account/factors/app", form), http.StatusOK)
	w.now = w.now.Add(time.Minute)
	o.remembered(form.Get("key"))
	page := o.get("/account/factors")
	sees(t, page, http.StatusOK, "Remembered browsers", "Firefox on Linux", "192.0.2.9")
	sees(t, o.post("/account/factors", hidden(t, page)), http.StatusBadRequest)
	leads(t, o.post("/account/factors", hidden(t, page, "action", "forget")), "/account/factors?done=forgotten")
	sees(t, o.get("/account/factors?done=forgotten"), http.StatusOK, "!Remembered browsers", "will ask for the second step again")
}

// remembered has a browser remembered, by a sign-in with the app of the key.
func (o *owner) remembered(key string) {
	o.Helper()
	signIns := &accounts.SignIns{
		Journal: o.factors.Journal, Users: o.db, Sessions: o.sessions, Factors: o.factors, Waiting: o.db, Limiter: unlimited{},
		Keys: o.factors.Keys, Logger: o.factors.Logger,
	}
	read, position, err := o.db.UserByLogin(o.Context(), o.user.UsernameKey)
	o.must(err)
	meta := accounts.Meta{UserAgent: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", Address: "192.0.2.9"}
	p, err := signIns.Proceed(o.Context(), &accounts.Result{User: read, Position: position, AMR: []string{"pwd"}}, meta, "")
	o.must(err)
	p, err = signIns.Code(o.Context(), p.Pending, o.codeOf(url.Values{"key": {key}}), meta, true)
	o.must(err)
	if p.Device == "" {
		o.Fatal("not remembered")
	}
}

// What changes how somebody signs in needs a fresh sign-in, to see it and to send it.
func TestFactors_Fresh(t *testing.T) {
	w := newFactorWorld(t)
	o := w.owner(w.ada)
	o.addApp("Phone")
	at := "?id=" + o.have().TOTPs[0].ID.String()
	pages := []string{"/account/factors/app", "/account/factors/passkey", "/account/factors/recovery", "/account/factors/name" + at, "/account/factors/remove" + at}
	forms := map[string]url.Values{"/account/factors": {"action": {"forget"}}}
	var asked []string
	for _, path := range pages {
		page, _, _ := strings.Cut(path, "?")
		forms[page] = hidden(t, o.get(path))
	}
	w.now = w.now.Add(hosted.FreshFor + time.Second)
	for _, path := range pages {
		leads(t, o.get(path), "/signin?"+url.Values{"again": {"1"}, "return": {path}}.Encode())
	}
	for path, form := range forms {
		leads(t, o.post(path, form), "/signin?"+url.Values{"again": {"1"}, "return": {path}}.Encode())
		asked = append(asked, path)
	}
	if len(asked) != 6 || o.have().Count() != 1 || o.have().RecoveryCodes != 10 {
		t.Errorf("asked at %v, has %+v", asked, o.have())
	}
	// To look needs none. After it, a page that has lost its factor leads to the list.
	sees(t, o.get("/account/factors"), http.StatusOK, "Phone")
	o.signIn("pwd", "otp")
	leads(t, o.get("/account/factors/remove"), "/account/factors")
}

// 208: who has two factors changes them only with two, whatever the browser remembers.
func TestAttack_208_ChangeWithOneFactor(t *testing.T) {
	w := newFactorWorld(t)
	o := w.owner(w.ada)
	o.addApp("Phone")
	at := "?id=" + o.have().TOTPs[0].ID.String()
	form := hidden(t, o.get("/account/factors/remove"+at))
	weak := w.owner(w.ada, "pwd")
	for _, path := range []string{"/account/factors/app", "/account/factors/passkey", "/account/factors/recovery", "/account/factors/name" + at, "/account/factors/remove" + at} {
		leads(t, weak.get(path), "/second-factor?"+url.Values{"return": {path}}.Encode())
	}
	leads(t, weak.post("/account/factors/remove", form), "/second-factor?return=%2Faccount%2Ffactors%2Fremove")
	sees(t, weak.get("/account/factors"), http.StatusOK, "Phone")
	if o.have().Count() != 1 {
		t.Error("the factor is gone")
	}
	weak.signIn("pwd", "otp")
	sees(t, weak.get("/account/factors/app"), http.StatusOK)
}

// 169: forms count only from this page, in this browser, by this person.
func TestAttack_169_FactorForms(t *testing.T) {
	w := newFactorWorld(t)
	o, thief := w.owner(w.ada), w.owner(w.bob)
	o.addApp("Phone")
	w.now = w.now.Add(time.Minute)
	o.addApp("Tablet")
	list := o.have()
	first, second := list.TOTPs[0].ID.String(), list.TOTPs[1].ID.String()
	page := o.get("/account/factors/remove?id=" + first)
	for name, answer := range map[string]*httptest.ResponseRecorder{
		"no ticket":      o.post("/account/factors/remove", url.Values{"id": {first}}),
		"other factor":   o.post("/account/factors/remove", hidden(t, page, "id", second)),
		"other page":     o.post("/account/factors/name", hidden(t, page, "factor_name", "x")),
		"other person":   thief.post("/account/factors/remove", hidden(t, page)),
		"thief's ticket": o.post("/account/factors/app", hidden(t, thief.get("/account/factors/app"), "code", "000000")),
	} {
		if answer.Code != http.StatusForbidden {
			t.Errorf("%s: status %d", name, answer.Code)
		}
	}
	// A secret that the person was not shown, such as one that somebody else knows.
	app, known := hidden(t, o.get("/account/factors/app")), hidden(t, o.get("/account/factors/app"))
	for _, field := range []string{"sealed", "key", "uri"} {
		form := url.Values{}
		for name, values := range app {
			form[name] = values
		}
		form.Set(field, known.Get(field))
		form.Set("code", o.codeOf(known))
		sees(t, o.post("/account/factors/app", form), http.StatusForbidden)
	}
	// The question of another page.
	key, other := o.get("/account/factors/passkey"), o.get("/account/factors/passkey")
	sees(t, o.post("/account/factors/passkey", hidden(t, key, "ceremony", hidden(t, other).Get("ceremony"))), http.StatusForbidden)
	o.site = "cross-site"
	sees(t, o.post("/account/factors/remove", hidden(t, page)), http.StatusForbidden)
	o.site = "same-origin"
	// Somebody else's factor is none of mine.
	leads(t, thief.get("/account/factors/remove?id="+first), "/account/factors")
	leads(t, thief.get("/account/factors/name?id="+id.New().String()), "/account/factors")
	if o.have().Count() != 2 || thief.have().Count() != 0 {
		t.Errorf("have %+v, %+v", o.have(), thief.have())
	}
}

// 168: without a session, or after it has ended, there is nothing here.
func TestAttack_168_WithoutSession(t *testing.T) {
	w := newFactorWorld(t)
	o := w.owner(w.ada)
	form := hidden(t, o.get("/account/factors/app"))
	form.Set("code", o.codeOf(form))
	w.must(w.users.SignOutEverywhere(t.Context(), factorOperator(), w.ada.Subject))
	leads(t, o.post("/account/factors/app", form), "/signin?return=%2Faccount%2Ffactors%2Fapp")
	for _, path := range []string{"/account/factors", "/account/factors/app", "/account/factors/passkey", "/account/factors/recovery"} {
		leads(t, o.get(path), "/signin?"+url.Values{"return": {path}}.Encode())
	}
	if o.have().Count() != 0 {
		t.Error("a factor was added")
	}
}

// Who has to have a factor before anything else may come here, with the way to the
// app in hand.
func TestFactors_Required(t *testing.T) {
	w := newFactorWorld(t)
	_, err := w.groups.Create(t.Context(), factorOperator(), "Staff", "")
	w.must(err)
	w.must(w.groups.AddMember(t.Context(), factorOperator(), "Staff", w.ada.Subject, 0))
	w.must(w.groups.SetSecondFactor(t.Context(), factorOperator(), "Staff", true))
	w.handler.Missing = w.missing
	o := w.owner(w.ada)
	flowID := id.New().String()
	page := o.get("/account/factors?flow=" + flowID)
	sees(t, page, http.StatusOK, "Your account needs a second step", "/account/factors/app?flow="+flowID, "!account-nav", "!Continue")
	form := hidden(t, o.get("/account/factors/app?flow="+flowID))
	form.Set("code", o.codeOf(form))
	sees(t, o.post("/account/factors/app", form), http.StatusOK, `href="/oauth2/authorize?flow=`+flowID+`"`)
	sees(t, o.get("/account/factors?flow="+flowID), http.StatusOK, `href="/oauth2/authorize?flow=`+flowID+`"`, "account-nav")
	sees(t, o.get(`/account/factors?flow="><b>&done=<b>`), http.StatusOK, "!<b>\"", "!/oauth2/authorize")
}

func (w *factorWorld) missing(ctx context.Context, _ *accounts.Session, user *accounts.User) (string, error) {
	has, needed, err := w.factors.Standing(ctx, user)
	if err != nil || has || !needed {
		return "", err
	}
	return "/account/factors", nil
}

func TestFactors_PasskeyEndpoints(t *testing.T) {
	w := newFactorWorld(t)
	r := httptest.NewRecorder()
	w.server.ServeHTTP(r, httptest.NewRequest(http.MethodGet, factorIssuer+"/.well-known/passkey-endpoints", nil))
	var got map[string]string
	w.must(json.Unmarshal(r.Body.Bytes(), &got))
	want := map[string]string{"enroll": factorIssuer + "/account/factors/passkey", "manage": factorIssuer + "/account/factors"}
	if diff := cmp.Diff(want, got); diff != "" || r.Header().Get("Content-Type") != "application/json" {
		t.Errorf("type %q, %s", r.Header().Get("Content-Type"), diff)
	}
}

func TestFactors_NothingSecretInLog(t *testing.T) {
	w := newFactorWorld(t)
	o := w.owner(w.ada)
	form := hidden(t, o.get("/account/factors/app"), "factor_name", "Name of a phone")
	form.Set("code", o.codeOf(form))
	page := o.post("/account/factors/app", form)
	_, code, _ := strings.Cut(page.Body.String(), "<li><code>")
	secrets := []string{form.Get("key"), form.Get("sealed"), form.Get("flow"), `"` + form.Get("code") + `"`, "otpauth", "Name of a phone", code[:14]}
	if i := slices.IndexFunc(secrets, func(s string) bool { return strings.Contains(w.log.String(), s) }); i >= 0 {
		t.Errorf("the log holds %q", secrets[i])
	}
	events, err := w.db.AuditTail(t.Context(), 20)
	w.must(err)
	if !slices.ContainsFunc(events, func(e sqldb.AuditEntry) bool { return e.Action == "user.factor.add" }) {
		t.Error("no event")
	}
}
