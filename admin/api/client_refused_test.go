package api_test

import (
	"net/http"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// clientRefusals: what was refused of an app is listed beside what is registered. It
// is allowed only as it is shown, by who controls the app, and forgotten.
func clientRefusals(w *world, path string) {
	w.Helper()
	ctx, clientID := w.Context(), path[len("/clients/"):]
	app, err := w.admin.Client(ctx, w.supreme(), clientID)
	w.must(err)
	for _, uri := range []string{"https://other.example.com/x", "https://two.example.com/cb/", "https://two.example.com/cb?state=hidden", "javascript:alert(1)"} {
		w.admin.Refusals.Note(app.ID, uri)
	}
	w.must(w.admin.Refusals.Flush(ctx))
	a := w.want(w.call(w.rootKey, http.MethodGet, path+"/refused-redirects", nil), http.StatusOK, "")
	want := []string{"https://two.example.com/cb/", "https://two.example.com/cb?…", "https://other.example.com/x", "javascript:alert(1)"}
	if diff := cmp.Diff(want, a.names("uri")); diff != "" {
		w.Errorf("refused: %s", diff)
	}
	first := a.items()[0]
	if diff := cmp.Diff([]any{"slash"}, first["differences"]); diff != "" || first["nearest"] != "https://two.example.com/cb" || first["count"] != 1.0 || first["problem"] != nil {
		w.Errorf("the nearest: %v", first)
	}
	if a.items()[3]["problem"] == nil {
		w.Errorf("%s can be registered", want[3])
	}
	w.want(w.call(w.rootKey, http.MethodGet, "/clients/nobody/refused-redirects", nil), http.StatusNotFound, "not-found")

	changer := w.caller(accounts.AdminClientsWrite)
	for uri, who := range map[string]*admin.Caller{
		want[1]: w.supreme(), want[3]: w.supreme(), "https://never.example.com/seen": w.supreme(),
		want[0]: w.caller(accounts.AdminClientsRead),
	} {
		if err := w.admin.AllowRefused(ctx, who, clientID, uri); err == nil {
			w.Errorf("%s was allowed", uri)
		}
	}
	if err := w.admin.ForgetRefused(ctx, w.caller(accounts.AdminClientsRead), clientID, want[0]); err == nil {
		w.Error("forgotten by somebody who may only read")
	}
	w.must(w.admin.AllowRefused(ctx, w.supreme(), clientID, want[0]))
	w.must(w.admin.AllowRefused(ctx, w.supreme(), clientID, want[0])) // the button, pressed twice
	w.must(w.admin.ForgetRefused(ctx, changer, clientID, want[2]))
	app, err = w.admin.Client(ctx, w.supreme(), clientID)
	w.must(err)
	if n := len(app.RedirectURIs); app.RedirectURIs[n-1] != want[0] || app.RedirectURIs[n-2] == want[0] {
		w.Errorf("registered: %v", app.RedirectURIs)
	}
	a = w.want(w.call(w.rootKey, http.MethodGet, path+"/refused-redirects", nil), http.StatusOK, "")
	if diff := cmp.Diff([]string{want[1], want[3]}, a.names("uri")); diff != "" {
		w.Errorf("afterwards: %s", diff)
	}
}

// supreme is a caller who may do everything; caller one who holds some permissions.
func (w *world) supreme() *admin.Caller {
	return &admin.Caller{Actor: audit.Actor{Kind: audit.Person, ID: w.root.Subject}, Superuser: true, Staff: true}
}

func (w *world) caller(permissions ...string) *admin.Caller {
	held := map[string]bool{}
	for _, p := range permissions {
		held[p] = true
	}
	return &admin.Caller{Actor: audit.Actor{Kind: audit.Person, ID: w.root.Subject}, Held: held}
}
