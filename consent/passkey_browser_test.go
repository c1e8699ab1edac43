package consent_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
	"github.com/gatehouse-id/gatehouse/internal/web"
)

// site is the world in a real browser, whose device makes passkeys.
type site struct {
	*world
	ctx    context.Context
	device webauthn.AuthenticatorID
	url    string
}

// newSite serves the pages on localhost, which browsers trust as they do https.
func newSite(t *testing.T) *site {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	s := &site{world: newWorldAt(t, "http://localhost:"+port), url: "http://localhost:" + port, ctx: testenv.Browser(t)}
	s.now = time.Now()
	mux := http.NewServeMux()
	mux.Handle("/static/", s.handler.Pages.Static())
	mux.Handle("/blank", web.Pages(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	mux.Handle("/", s.server)
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}}
	server.Start()
	t.Cleanup(server.Close)
	s.run(webauthn.Enable(), chromedp.ActionFunc(func(ctx context.Context) error {
		var err error
		s.device, err = webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		}).Do(ctx)
		return err
	}))
	return s
}

func (s *site) run(actions ...chromedp.Action) {
	s.Helper()
	if err := chromedp.Run(s.ctx, actions...); err != nil {
		var at, text string
		_ = chromedp.Run(s.ctx, chromedp.Location(&at), chromedp.Evaluate(`document.body.innerText`, &text))
		s.Fatalf("%v (at %s)\n%s", err, at, text)
	}
}

// present says whether somebody touches the device when it asks.
func (s *site) present(yes bool) chromedp.Action {
	return webauthn.SetAutomaticPresenceSimulation(s.device, yes)
}

// arrives waits until the browser shows a heading, after whichever redirects.
func (s *site) arrives(heading string) {
	s.Helper()
	s.run(chromedp.WaitVisible(`//h1[contains(., "` + heading + `")]`))
}

// passkey makes a passkey for somebody on the device, by a session of its own.
func (s *site) passkey(u *accounts.User) {
	s.Helper()
	ctx := s.Context()
	read, position, err := s.db.UserByLogin(ctx, u.UsernameKey)
	s.must(err)
	_, session, err := s.sessions.Start(ctx, &accounts.Result{User: read, Position: position, AMR: []string{"pwd"}, ACR: accounts.ACRPassword}, accounts.Meta{})
	s.must(err)
	options, ceremony, err := s.factors.BeginPasskey(ctx, u)
	s.must(err)
	var made string
	s.run(chromedp.Navigate(s.url+"/blank"), chromedp.Evaluate(`navigator.credentials.create({
		publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(`+string(options)+`),
	}).then((made) => JSON.stringify(made.toJSON()))`, &made, awaited))
	actor := audit.Actor{Kind: audit.Person, ID: u.Subject, Name: u.Username}
	_, err = s.factors.FinishPasskey(ctx, actor, session, ceremony, "", []byte(made))
	s.must(err)
	s.must(s.sessions.SignOut(ctx, actor, u.Subject, session.ID))
}

func awaited(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }

// The passkey is chosen in the list of the username field, which the device of the
// test does at once.
func TestPasskeyInBrowser_Conditional(t *testing.T) {
	s := newSite(t)
	s.passkey(s.ada)
	s.run(chromedp.Navigate(s.url + "/signin"))
	s.arrives("Hello, ada Example")
}

func TestPasskeyInBrowser_Button(t *testing.T) {
	s := newSite(t)
	s.passkey(s.ada)
	// Nobody touches the device until the button is pressed.
	var before bool
	s.run(s.present(false), chromedp.Navigate(s.url+"/signin"), chromedp.WaitVisible(`[data-press]`),
		chromedp.Evaluate(`document.querySelector("form[data-passkey]").hidden`, &before))
	if before {
		t.Error("the button cannot be seen")
	}
	s.run(s.present(true), chromedp.Click(`[data-press]`))
	s.arrives("Hello, ada Example")
	sessions, err := s.db.SessionsOf(t.Context(), s.ada.ID, s.now.UnixMilli())
	if err != nil || len(sessions) != 1 || sessions[0].ACR != accounts.ACRTwoFactors {
		t.Errorf("sessions %+v, %v", sessions, err)
	}
}

// The device is told to forget a passkey that no account has.
func TestPasskeyInBrowser_Unknown(t *testing.T) {
	s := newSite(t)
	s.passkey(s.ada)
	s.must(s.factors.Reset(t.Context(), operator(), s.ada.Subject))
	var signalled string
	s.run(s.present(false), chromedp.Navigate(s.url+"/signin"), chromedp.WaitVisible(`[data-press]`),
		s.present(true), chromedp.Click(`[data-press]`),
		chromedp.WaitVisible(`//p[contains(., "No account here has that passkey any more")]`),
		chromedp.AttributeValue(`form[data-passkey]`, "data-unknown", &signalled, nil))
	if signalled == "" {
		t.Error("the page does not say which")
	}
	err := chromedp.Run(s.ctx, chromedp.Poll(`true`, nil), chromedp.ActionFunc(func(ctx context.Context) error {
		for range 100 {
			left, err := webauthn.GetCredentials(s.device).Do(ctx)
			if err != nil || len(left) == 0 {
				return err
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Error("the device still offers the passkey")
		return nil
	}))
	s.must(err)
}

// Without a passkey on the device the page says so and goes on working.
func TestPasskeyInBrowser_Cancelled(t *testing.T) {
	s := newSite(t)
	s.run(webauthn.SetUserVerified(s.device, false), chromedp.Navigate(s.url+"/signin"), chromedp.WaitVisible(`[data-press]`), chromedp.Click(`[data-press]`),
		chromedp.WaitVisible(`//p[@data-say and contains(., "That did not work")]`))
	// The script has seen that there is a device: a passkey is offered, and nobody has
	// to take it.
	s.run(chromedp.SendKeys(`#username`, "ada"), chromedp.SendKeys(`#current-password`, password), chromedp.Click(`button[value="continue"]`),
		chromedp.WaitVisible(`//h1[contains(., "Page not found")]`))
	var at string
	s.run(chromedp.Location(&at), chromedp.Navigate(s.url+"/"))
	if want := s.url + "/account/factors/passkey?offer=1"; at != want { // a page of another package
		t.Errorf("led to %s, want %s", at, want)
	}
	s.arrives("Hello, ada Example")
}

func TestPasskeyInBrowser_SecondFactor(t *testing.T) {
	s := newSite(t)
	s.passkey(s.ada)
	var needs string
	s.run(s.present(false), chromedp.Navigate(s.url+"/signin"), chromedp.SendKeys(`#username`, "ada"), chromedp.SendKeys(`#current-password`, password),
		chromedp.Click(`button[value="continue"]`), chromedp.WaitVisible(`//h1[contains(., "Confirm that it is you")]`),
		chromedp.WaitVisible(`[data-press]`), chromedp.Evaluate(`document.querySelector("[data-needs]").checkVisibility() ? "shown" : "hidden"`, &needs),
		chromedp.Click(`#remember`), s.present(true), chromedp.Click(`[data-press]`))
	s.arrives("Hello, ada Example")
	if needs != "hidden" {
		t.Error("the page says that the browser has no passkeys")
	}
	list, err := s.factors.List(t.Context(), s.ada)
	if err != nil || len(list.Devices) != 1 {
		t.Errorf("remembered %+v, %v", list, err)
	}
}
