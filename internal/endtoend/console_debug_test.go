package endtoend_test

// triesApp signs in with the demo app in the console's debugger, from the app's page to
// the verdict of the ledger before and after the token is revoked, and has axe-core look
// at the pages.
func (v *visitor) triesApp(axe string) {
	v.t.Helper()
	at := v.issuer + "/admin/clients/debug"
	v.open(v.issuer + "/admin/clients/show?id=demo-app")
	v.press(`a[href*="/admin/clients/debug"]`)
	v.sees(at, 200, "Try Demo app", "your own consent")
	v.looksGood(axe)
	v.press(`main form:has(input[value="begin"]) .actions button`)
	v.sees(at, 200, "The app pushes its request", "201 Created", "Authorization: Basic …")
	v.looksGood(axe)
	v.press(`#go a`)
	v.sees(v.issuer+"/consent", 200)
	v.press(buttonAllow)
	v.sees(at+"/callback", 200, "Signing in works", "accepted now", "The app asks for tokens", "the one that was sent")
	v.press(`button[value="revoke_access"]`)
	v.sees(at, 200, "refused since position", "token-revoked", "The app revokes the access token", "!accepted now")
	v.looksGood(axe)
	v.press(`button[value="end"]`)
	v.sees(at, 200, "Ended")
}

// looksGood has axe-core look at the page that is open.
func (v *visitor) looksGood(axe string) {
	v.t.Helper()
	for _, found := range v.findings(axe) {
		v.t.Errorf("%s: %s", v.where(), found)
	}
}
