package selfservice_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

// A passkey is made on the page, by a device that then has one already. The page is
// served on localhost, which browsers trust as they do https.
func TestFactorsInBrowser_AddPasskey(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	issuer := "http://localhost:" + port
	w := newFactorWorldAt(t, issuer)
	o := w.owner(w.ada)
	mux := http.NewServeMux()
	mux.Handle("/static/", w.handler.Pages.Static())
	mux.Handle("/", w.server)
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}}
	server.Start()
	t.Cleanup(server.Close)

	ctx := testenv.Browser(t)
	name := w.handler.Cookies.Name(flow.SessionCookie)
	var device webauthn.AuthenticatorID
	addDevice := chromedp.ActionFunc(func(ctx context.Context) error {
		var err error
		device, err = webauthn.AddVirtualAuthenticator(&webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Ctap2version: webauthn.Ctap2versionCtap21, Transport: webauthn.AuthenticatorTransportInternal,
			HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
		}).Do(ctx)
		return err
	})
	var copied, downloads string
	var printed bool
	w.must(chromedp.Run(ctx,
		webauthn.Enable(), addDevice, network.SetCookie(name, o.jar[name]).WithURL(issuer),
		chromedp.Navigate(issuer+"/account/factors/passkey"),
		chromedp.SendKeys(`#factor_name`, "My laptop"), chromedp.Click(`[data-press]`, chromedp.NodeVisible),
		chromedp.WaitVisible(`//h1[contains(., "Keep your recovery codes")]`),
		chromedp.Evaluate(`getComputedStyle(document.querySelector("[data-copy]")).display`, &copied),
		chromedp.Evaluate(`(() => { let asked = false; window.print = () => { asked = true; }; document.querySelector("[data-print]").click(); return asked; })()`, &printed),
		chromedp.AttributeValue(`a[download]`, "href", &downloads, nil),
		chromedp.Click(`a.button.primary`),
		chromedp.WaitVisible(`//b[contains(., "My laptop")]`),
		// The session is one of two factors now; the device has its passkey.
		chromedp.Navigate(issuer+"/account/factors/passkey"),
		chromedp.Click(`[data-press]`, chromedp.NodeVisible),
		chromedp.WaitVisible(`//p[@data-say and contains(., "This device already has a passkey for your account")]`),
	))
	if copied == "none" || !printed || len(downloads) < 100 {
		t.Errorf("copy %q, print %t, download %q", copied, printed, downloads)
	}
	if list := o.have(); len(list.Passkeys) != 1 || list.Passkeys[0].Name != "My laptop" {
		t.Errorf("has %+v", list)
	}
	// Removed here, the device forgets it as well.
	w.must(chromedp.Run(ctx, chromedp.Navigate(issuer+"/account/factors"), chromedp.Click(`a[href*="/remove?"]`), chromedp.Click(`form button.danger`),
		chromedp.WaitVisible(`//p[@role="status"]`), chromedp.ActionFunc(func(ctx context.Context) error {
			for range 100 {
				left, err := webauthn.GetCredentials(device).Do(ctx)
				if err != nil || len(left) == 0 {
					return err
				}
				time.Sleep(50 * time.Millisecond)
			}
			t.Error("the device still offers the passkey")
			return nil
		})))
}
