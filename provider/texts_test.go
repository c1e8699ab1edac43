package provider_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// The protocol's own pages call a client what it is called in their language, also
// the page after the confirmation, which the client cannot ask for itself.
func TestNamesInTheLanguageOfThePage(t *testing.T) {
	w := besieged(t)
	err := w.clients.Update(t.Context(), tester, w.web.ClientID, func(c *accounts.Client) error {
		c.Name, c.Texts = "Bulletin", accounts.Texts{"de": {Name: "Anschlagtafel"}}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	w.allow(w.user, w.web, "openid")
	for _, tt := range []struct{ locales, html, wants, not string }{
		{"fr de-AT", `<html lang="de"`, "Anschlagtafel", "Bulletin"},
		{"", `<html lang="en"`, "Bulletin", "Anschlagtafel"},
	} {
		b := w.signedIn(w.user)
		more := formOf("client_id", w.web.ClientID, "ui_locales", tt.locales)
		want := func(resp *http.Response, texts ...string) {
			t.Helper()
			page := wantPage(t, resp, http.StatusOK)
			for _, text := range append(texts, tt.html) {
				if !strings.Contains(page, text) || strings.Contains(page, tt.not) {
					t.Errorf("asked for %q: want %q and not %q in:\n%s", tt.locales, text, tt.not, page)
				}
			}
		}
		want(b.authorize(w.web.request("openid", "response_mode", "form_post", "ui_locales", tt.locales)), tt.wants)
		want(b.get(issuer+"/logout?"+more.Encode()), tt.wants)
		seal := confirmation(t, b.get(issuer+"/logout?"+more.Encode()))
		want(b.post("/logout", formOf("confirm", seal, "action", "continue")))
		more.Set("post_logout_redirect_uri", goodbye)
		want(b.get(issuer+"/logout?"+more.Encode()), tt.wants) // nobody is signed in: a link back
	}
}
