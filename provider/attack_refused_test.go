package provider_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// remembers gives the provider Refusals that write when they are told to.
func (w *world) remembers() *accounts.Refusals {
	w.t.Helper()
	r := accounts.NewRefusals(w.users.Journal, w.db, slog.New(slog.DiscardHandler))
	w.provider.Refusals = r
	return r
}

// refused writes what was noted and returns what is kept of a client: URIs and counts.
func (w *world) refused(r *accounts.Refusals, c app) map[string]int64 {
	w.t.Helper()
	if err := r.Flush(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	list, err := r.Of(w.t.Context(), c.Client)
	if err != nil {
		w.t.Fatal(err)
	}
	got := map[string]int64{}
	for _, x := range list {
		got[x.URI] = x.Count
	}
	return got
}

// TestRefusedRedirects: what is refused is counted once for each request, whether the
// client is in memory or not, and for known clients alone.
func TestRefusedRedirects(t *testing.T) {
	besiegedOnEach(t, func(t *testing.T, w *world) {
		r := w.remembers()
		b := w.browser()
		location(t, b.authorize(w.web.request("openid")), issuer+"/signin")
		wantPage(t, b.authorize(w.web.request("openid", "redirect_uri", callback+"/")), http.StatusBadRequest)
		wantPage(t, b.authorize(w.web.request("openid", "redirect_uri", callback+"?code=hidden")), http.StatusBadRequest)
		wantError(t, w.call("/oauth2/par", w.web, w.web.request("openid", "redirect_uri", callback+"/")), http.StatusBadRequest, "invalid_request")
		// A request that cannot be read counts as well.
		wantPage(t, b.get(issuer+"/oauth2/authorize?"+w.web.request("openid", "redirect_uri", callback+"/").Encode()+"&nonce=twice"), http.StatusBadRequest)
		want := map[string]int64{callback + "/": 3, callback + "?…": 1}
		if diff := cmp.Diff(want, w.refused(r, w.web)); diff != "" {
			t.Error(diff)
		}

		unknown := app{Client: &accounts.Client{ClientID: "nobody", RedirectURIs: []string{callback}}}
		wantPage(t, b.authorize(unknown.request("openid")), http.StatusBadRequest)
		if err := w.clients.Disable(t.Context(), tester, w.spa.ClientID); err != nil {
			t.Fatal(err)
		}
		wantPage(t, b.authorize(w.spa.request("openid", "redirect_uri", callback)), http.StatusBadRequest)
		if got := w.refused(r, w.spa); len(got) != 0 {
			t.Errorf("kept of a disabled client: %v", got)
		}

		// It is forgotten once, with an event.
		if err := r.Forget(t.Context(), tester, w.web.Client, callback+"/"); err != nil {
			t.Fatal(err)
		}
		if got := w.refused(r, w.web); len(got) != 1 {
			t.Errorf("after it was forgotten: %v", got)
		}
		tail, err := w.db.AuditTail(t.Context(), 1)
		if err != nil || tail[0].Action != "client.refused.forget" || tail[0].TargetID != w.web.ClientID {
			t.Errorf("%v, %v", tail, err)
		}
	})
}

// TestAttack_RefusedRedirectsAreBounded: whoever knows a client's id can have any
// number of hostile URIs refused. Few of them are kept, short and printable; the page
// is what it always is; and another client loses nothing.
func TestAttack_RefusedRedirectsAreBounded(t *testing.T) {
	w := besieged(t)
	r := w.remembers()
	b := w.browser()
	wantPage(t, b.authorize(w.spa.request("openid", "redirect_uri", callback)), http.StatusBadRequest)
	hostile := []string{
		"javascript:alert(document.domain)", "https://app.example.com/" + strings.Repeat("a", 10<<10), "https://a.example/\x00\r\nSet-Cookie:x",
		"\"><script>alert(1)</script>", "https://a.example/\u202egpj.exe", "https://ada:hidden-password@a.example/", callback + "?access_token=hidden-token",
	}
	for _, uri := range hostile {
		page := wantPage(t, b.authorize(w.web.request("openid", "redirect_uri", uri)), http.StatusBadRequest)
		if strings.Contains(page, "alert(") {
			t.Errorf("%.60q stands on the page", uri)
		}
	}
	got := w.refused(r, w.web)
	for uri := range got {
		if strings.Contains(uri, "hidden") || len(uri) > 520 || strings.ContainsFunc(uri, func(c rune) bool { return c <= ' ' || c > '~' && c != '…' }) {
			t.Errorf("kept: %q", uri)
		}
	}
	// A parameter with control characters cannot be read, and gets nowhere.
	if len(got) != len(hostile)-1 {
		t.Errorf("%d of %d are kept", len(got), len(hostile))
	}
	for round := range 3 {
		for i := range 30 {
			b.authorize(w.web.request("openid", "redirect_uri", fmt.Sprintf("https://flood.example/%d/%d", round, i)))
		}
		if n := len(w.refused(r, w.web)); n != accounts.RefusedPerClient {
			t.Errorf("%d are kept", n)
		}
	}
	if diff := cmp.Diff(map[string]int64{callback: 1}, w.refused(r, w.spa)); diff != "" {
		t.Errorf("of another client: %s", diff)
	}
}
