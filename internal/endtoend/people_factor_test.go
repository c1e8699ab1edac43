package endtoend_test

import (
	"context"
	"crypto/rand"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// strictApp is an app that asks for two factors when it wants them.
type strictApp struct {
	*app
	verifier string
}

func (w *town) strictApp(t *testing.T) *strictApp {
	t.Helper()
	redirect := newSite(t).URL + "/callback"
	c := w.register(t, "--name", "Strict app", "--type", "web", "--redirect-uri", redirect, "--scope", "openid")
	a := w.goAppOf(t, c)
	a.config.RedirectURL, a.config.Scopes = redirect, []string{"openid"}
	return &strictApp{app: a, verifier: oauth2.GenerateVerifier()}
}

// asks is where the app sends people.
func (a *strictApp) asks(options ...oauth2.AuthCodeOption) string {
	return a.config.AuthCodeURL(rand.Text(), append(options, oauth2.S256ChallengeOption(a.verifier))...)
}

// learns redeems the code with which somebody has come, and reads how they signed in.
func (a *strictApp) learns(v *visitor) (acr string, amr []string) {
	v.t.Helper()
	v.sees(a.config.RedirectURL, 200, "Here you are.")
	answer, err := url.Parse(v.where())
	if err != nil {
		v.t.Fatal(err)
	}
	a.hide(answer.Query().Get("code"))
	token, err := a.config.Exchange(v.t.Context(), answer.Query().Get("code"), oauth2.VerifierOption(a.verifier))
	if err != nil {
		v.t.Fatalf("exchange: %v (%s)", err, answer.RawQuery)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := a.provider.VerifierContext(v.t.Context(), &oidc.Config{ClientID: a.config.ClientID}).Verify(v.t.Context(), raw)
	if err != nil {
		v.t.Fatal(err)
	}
	var claims struct {
		ACR string   `json:"acr"`
		AMR []string `json:"amr"`
	}
	if err := id.Claims(&claims); err != nil {
		v.t.Fatal(err)
	}
	return claims.ACR, claims.AMR
}

// walkApp: a browser is remembered after a code of the authenticator app, and the
// second factor is asked for all the same by an app that wants it; a recovery code is
// as good, once; and remembered browsers can be forgotten.
func (w *town) walkApp(t *testing.T) {
	w.person(t, "tom", "Tom Twofactor")
	a := w.strictApp(t)
	v := w.visitor(t)
	v.visit("tom", firstPass)
	authenticator := v.enrolApp()
	w.mail(t, "tom@example.org", "New way to sign in")
	var codes []string
	v.do("read the recovery codes", chromedp.Evaluate(`[...document.querySelectorAll("#codes code")].map((code) => code.textContent)`, &codes))
	if len(codes) != 10 {
		t.Fatalf("%d recovery codes", len(codes))
	}
	for _, code := range codes {
		w.hide(code)
	}
	v.leave()

	v.begin()
	v.signIn("tom", firstPass)
	v.sees(w.issuer+"/second-factor", 200, "Do not ask again in this browser")
	v.toggle("1")
	v.secondFactor(authenticator)
	v.press(buttonAllow)
	v.sees(w.app+"/", 200, "Hello, Tom Twofactor")
	v.signOutHere()
	v.arrive("tom", firstPass) // and is not asked again

	v.open(a.asks(oauth2.SetAuthURLParam("acr_values", "aal2")))
	v.sees(w.issuer+"/second-factor", 200, "Strict app asks for this extra step", "!Do not ask again")
	v.recover(codes[0])
	v.press(buttonAllow)
	if acr, amr := a.learns(v); acr != "aal2" || !slices.Contains(amr, "otp") {
		t.Errorf("the app learns %s by %v", acr, amr)
	}

	v.open(w.issuer + "/account/factors")
	v.sees(w.issuer+"/account/factors", 200, "9 codes are left", "Remembered browsers")
	v.press(`button[value="forget"]`)
	v.sees(w.issuer+"/account/factors", 200, "All your browsers will ask for the second step again", "!since ")
	v.leave()
	v.comeBack()
	v.signIn("tom", firstPass)
	v.recover(codes[0])
	v.sees(w.issuer+"/second-factor/recovery", 422, "was used before")
	v.fill("#recovery_code", codes[1])
	v.press(submit)
	v.sees(w.app+"/", 200, "Hello, Tom Twofactor")
}

// recover uses a recovery code in place of the second factor.
func (v *visitor) recover(code string) {
	v.t.Helper()
	v.sees(v.issuer+"/second-factor", 200)
	v.press(`main a[href*="/second-factor/recovery"]`)
	v.fill("#recovery_code", code)
	v.press(submit)
}

// device is the visitor's fingerprint reader, or the like.
type device struct {
	v  *visitor
	id webauthn.AuthenticatorID
}

func (v *visitor) device() *device {
	v.t.Helper()
	d := &device{v: v}
	v.do("plug in a device", webauthn.Enable(), chromedp.ActionFunc(func(ctx context.Context) (err error) {
		d.id, err = webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		}).Do(ctx)
		return err
	}))
	return d
}

// touched says whether somebody touches the device whenever it asks.
func (d *device) touched(yes bool) {
	d.v.t.Helper()
	d.v.do("touch the device", webauthn.SetAutomaticPresenceSimulation(d.id, yes))
}

const buttonPasskey = `[data-press]`

// walkPasskeys: an app wants two factors of somebody who has one and does not take up
// the offer of a passkey, and one is made on the way all the same; from then on there is no password to type, by the button or by the list
// of the username field; and the last one stays where a group demands it.
func (w *town) walkPasskeys(t *testing.T) {
	w.person(t, "pia", "Pia Passkey")
	a := w.strictApp(t)
	v := w.visitor(t)
	laptop := v.device()
	laptop.touched(false) // or the page would sign in with what is there
	v.open(a.asks(oauth2.SetAuthURLParam("acr_values", "aal2")))
	v.signIn("pia", firstPass)
	v.sees(w.issuer+"/account/factors/passkey", 200, "Sign in faster next time")
	v.press(`main a.button.quiet`) // not now, but the app needs it
	v.sees(w.issuer+"/account/factors", 200, "Your account needs a second step")
	v.press(`main a[href*="/account/factors/passkey"]`)
	v.fill("#factor_name", "My laptop")
	laptop.touched(true)
	v.press(buttonPasskey)
	v.sees(w.issuer+"/account/factors/passkey", 200, "Keep your recovery codes")
	w.mail(t, "pia@example.org", "New way to sign in")
	v.press(`main a.button.primary`) // on to the app
	v.press(buttonAllow)
	if acr, amr := a.learns(v); acr != "aal2" || !slices.Contains(amr, "pop") {
		t.Errorf("after enrolment the app learns %s by %v", acr, amr)
	}
	v.leave()

	laptop.touched(false) // until the button is pressed
	v.begin()
	v.do("press the button", chromedp.Click(buttonPasskey, chromedp.ByQuery, chromedp.NodeVisible))
	v.travel("touch the device", webauthn.SetAutomaticPresenceSimulation(laptop.id, true))
	v.sees(w.issuer+"/consent", 200)
	v.press(buttonAllow)
	v.sees(w.app+"/", 200, "Hello, Pia Passkey")
	v.signOutHere()

	v.do("begin and touch the device", chromedp.Navigate(w.app+"/signin"), chromedp.WaitVisible(`//h1[contains(., "Hello, Pia Passkey")]`))
	v.open(a.asks())
	if acr, amr := a.learns(v); acr != "aal2" || slices.Contains(amr, "pwd") {
		t.Errorf("after the passkey the app learns %s by %v", acr, amr)
	}

	w.command(t, "group", "create", "--name", "Guards")
	w.command(t, "group", "add-member", "--group", "Guards", "--user", "pia")
	w.command(t, "group", "demand", "--group", "Guards", "--second-factor")
	v.until("the last factor is needed", func() bool {
		v.open(w.issuer + "/account/factors")
		return strings.Contains(v.text(), "Needed: add another before you remove it.")
	})
	rename := v.attribute(`main a[href*="/account/factors/name"]`, "href")
	v.open(w.issuer + strings.Replace(rename, "/name", "/remove", 1))
	v.sees(w.issuer+"/account/factors/remove", 200, "Remove My laptop?")
	v.press(submit)
	v.sees(w.issuer+"/account/factors", 200, "Nothing was removed", "My laptop")
}

// walkLanguages: the app's wish counts more than the choice at the foot of a page, and
// that more than what the browser asks for.
func (w *town) walkLanguages(t *testing.T) {
	a := w.strictApp(t)
	v := w.visitor(t)
	v.do("speak German", network.SetExtraHTTPHeaders(network.Headers{"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}))
	v.open(w.issuer + "/")
	v.sees(w.issuer+"/", 200, "Willkommen bei")
	if lang := v.attribute("html", "lang"); lang != "de" {
		t.Errorf("the page is in %q", lang)
	}
	v.open(a.asks(oauth2.SetAuthURLParam("ui_locales", "en")))
	v.sees(w.issuer+"/signin", 200, "Sign in", "to continue to")
	v.open(a.asks())
	v.sees(w.issuer+"/signin", 200, "Anmelden", "um weiter zu")
	v.signIn("staff_user", "not the password")
	v.sees(w.issuer+"/signin", 422, "stimmt nicht")

	v.open(w.issuer + "/")
	v.do("choose English", chromedp.Evaluate(`document.querySelector("details.preferences").open = true`, nil),
		chromedp.SetValue("#lang", "en", chromedp.ByQuery))
	v.press(`.preferences button`)
	v.sees(w.issuer+"/", 200, "Welcome to")
	v.open(a.asks())
	v.sees(w.issuer+"/signin", 200, "Sign in", "to continue to")
	v.open(a.asks(oauth2.SetAuthURLParam("ui_locales", "de")))
	v.sees(w.issuer+"/signin", 200, "Anmelden", "um weiter zu")
}
