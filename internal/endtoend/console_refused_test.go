package endtoend_test

import (
	"net/http"
	"net/url"
	"strings"
)

const hostileRedirect = `javascript:alert("<b>1</b>")`

// triesAddresses has redirect URIs of the demo app refused: one with a slash too many
// and one that is hostile, and opens the app's page when it shows them.
func (v *visitor) triesAddresses() {
	v.t.Helper()
	for _, uri := range []string{hostileRedirect, v.slashed()} {
		answer, err := http.Get(v.issuer + "/oauth2/authorize?" + url.Values{
			"client_id": {"demo-app"}, "redirect_uri": {uri}, "response_type": {"code"}, "scope": {"openid"},
		}.Encode())
		if err != nil {
			v.t.Fatal(err)
		}
		_ = answer.Body.Close()
		if answer.StatusCode != http.StatusBadRequest {
			v.t.Fatalf("%s: status %d", uri, answer.StatusCode)
		}
	}
	v.until("what was refused is shown", func() bool {
		v.open(v.issuer + "/admin/clients/show?id=demo-app")
		text := v.text()
		return strings.Contains(text, v.slashed()) && strings.Contains(text, hostileRedirect)
	})
	v.sees(v.issuer+"/admin/clients/show", 200, "Refused redirect URIs", "slash at the end", "another scheme", "It cannot be added")
	if v.has(`a[href^="javascript"]`) || v.has(`#refused b`) || v.has(button("Add this one: "+strings.ReplaceAll(hostileRedirect, `"`, `\"`))) {
		v.t.Error("a hostile address is more than text")
	}
}

// allowsAddress adds the address with the slash and forgets the hostile one.
func (v *visitor) allowsAddress() {
	v.t.Helper()
	v.open(v.issuer + "/admin/clients/show?id=demo-app")
	v.press(button("Add this one: " + v.slashed()))
	v.sees(v.issuer+"/admin/clients/show", 200, "Added.", v.slashed(), hostileRedirect)
	if v.has(button("Forget: " + v.slashed())) {
		v.t.Error("a registered address is still listed as refused")
	}
	v.press(`button[name="forget"]`)
	v.sees(v.issuer+"/admin/clients/show", 200, "Forgotten.", v.slashed(), "!"+hostileRedirect, "!Refused redirect URIs")
}

// slashed is where the demo app sends people back to, with a slash at the end.
func (v *visitor) slashed() string { return v.app + "/callback/" }
