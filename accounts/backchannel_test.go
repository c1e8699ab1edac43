package accounts_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// Where an app is told of sign-outs is checked as it is registered, and as it is
// changed.
func TestAttack_121_BackchannelLogoutURI(t *testing.T) {
	w := newWorld(t)
	app, _, err := w.clients.Register(t.Context(), operator(), webApp())
	w.must(err)
	for uri, ok := range map[string]bool{
		"":                                                 true,
		"https://app.example/out":                          true,
		"https://app.example:8443/out?a=b":                 true,
		"http://localhost:9000/out":                        true,
		"http://127.0.0.1/out":                             true,
		"http://[::1]:1/":                                  true,
		"http://app.example/out":                           false,
		"http://10.0.0.1/out":                              false,
		"http://localhost.example/out":                     false,
		"https://app.example/out#x":                        false,
		"https://user:pass@app.example/out":                false,
		"https://app.example/../out":                       false,
		"https://2130706433/out":                           false,
		"https://0x7f.1/out":                               false,
		"https://[::ffff:127.0.0.1%25lo]/":                 false,
		"ftp://app.example/out":                            false,
		"javascript:alert(1)":                              false,
		"file:///etc/passwd":                               false,
		"//app.example/out":                                false,
		"/out":                                             false,
		"https://app.example/ out":                         false,
		"https://app.example/\r\nX: y":                     false,
		"https://app.example/" + strings.Repeat("x", 2048): false,
	} {
		r := webApp()
		r.BackchannelLogoutURI = uri
		_, _, made := w.clients.Register(t.Context(), operator(), r)
		changed := w.clients.Update(t.Context(), operator(), app.ClientID, func(c *accounts.Client) error {
			c.BackchannelLogoutURI = uri
			return nil
		})
		for _, err := range []error{made, changed} {
			if ok && err != nil || !ok && !errors.Is(err, accounts.ErrInvalid) {
				t.Errorf("%q: %v", uri, err)
			}
		}
	}
	r := webApp()
	r.BackchannelLogoutSessionRequired = true
	if _, _, err := w.clients.Register(t.Context(), operator(), r); !errors.Is(err, accounts.ErrInvalid) {
		t.Errorf("a session required, and nowhere to tell: %v", err)
	}
	machine := accounts.Registration{Name: "Job", Type: accounts.MachineClient, BackchannelLogoutURI: "https://app.example/out"}
	if _, _, err := w.clients.Register(t.Context(), operator(), machine); !errors.Is(err, accounts.ErrInvalid) {
		t.Errorf("for a machine: %v", err)
	}
}
