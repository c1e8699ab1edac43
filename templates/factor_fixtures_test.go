package templates_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/templates"
)

const (
	factorKey = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
	factorURI = "otpauth://totp/Gatehouse:ada?algorithm=SHA1&digits=6&issuer=Gatehouse&period=30&secret=" + factorKey
	question  = `{"challenge":"Zm9v","rpId":"id.example.com"}`
)

func factorFixtures() []fixture {
	type renderer = *templates.Renderer
	ask := &templates.PasskeyAsk{Options: question, Ceremony: "c0"}
	second := func(name string, change func(*templates.SecondFactor)) fixture {
		return fixture{name, func(r renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			p := templates.SecondFactor{
				Page: page, Client: board(), UserName: "ada", Code: true, Action: "/second-factor", Flow: "AZr3",
				RecoveryURL: "/second-factor/recovery?flow=AZr3", SwitchURL: "/signin?flow=AZr3&switch=1",
			}
			change(&p)
			return r.SecondFactor(w, http.StatusOK, lang, p)
		}}
	}
	account := func(page templates.Page) templates.Page {
		page.Account = &templates.AccountNav{Active: "factors", Base: "/account/"}
		return page
	}
	return []fixture{
		signIn("sign_in_passkey", templates.SignIn{
			Client: board(), Action: "/signin", Flow: "AZr3", Passkey: &templates.PasskeyAsk{AskURL: "/signin/passkey"},
			SignUpURL: "/signup", ResetURL: "/reset", CodeURL: "/signin/code",
		}),
		signIn("sign_in_passkey_unknown", templates.SignIn{
			Action: "/signin", Flow: "AZr3", Hidden: []templates.Field{{Name: "return", Value: "/account/"}},
			Problems: []templates.SignInProblem{templates.PasskeyUnknown},
			Passkey:  &templates.PasskeyAsk{AskURL: "/signin/passkey", Unknown: "Zm9v", RelyingParty: "id.example.com"},
		}),
		second("second_factor", func(p *templates.SecondFactor) { p.Passkey = ask }),
		second("second_factor_code", func(p *templates.SecondFactor) { p.Problem, p.Remember = templates.CodeWrong, true }),
		second("second_factor_passkey", func(p *templates.SecondFactor) { p.Code, p.Passkey, p.StepUp = false, ask, true }),
		second("second_factor_recovery", func(p *templates.SecondFactor) {
			p.Recovery, p.RecoveryURL, p.CodeURL = true, "", "/second-factor?flow=AZr3"
		}),
		second("second_factor_wait", func(p *templates.SecondFactor) { p.Problem, p.RetryAfter = templates.FactorWait, time.Minute }),
		{"factors", func(r renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			return r.Factors(w, http.StatusOK, lang, fullFactors(account(page)))
		}},
		{"factors_none", func(r renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			return r.Factors(w, http.StatusOK, lang, templates.Factors{
				Page: page, Needed: true, AddPasskeyURL: "/account/factors/passkey", AddAppURL: "/account/factors/app",
				Action: "/account/factors", Flow: "AZr3",
			})
		}},
		{"new_app", func(r renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			return r.NewApp(w, http.StatusOK, lang, templates.NewApp{
				Page: account(page), Key: factorKey, URI: factorURI, Sealed: "sealed",
				Action: "/account/factors/app", Flow: "AZr3", BackURL: "/account/factors",
			})
		}},
		{"new_passkey", func(r renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			return r.NewPasskey(w, http.StatusOK, lang, templates.NewPasskey{
				Page: account(page), Passkey: ask, Action: "/account/factors/passkey", Flow: "AZr3", BackURL: "/account/factors",
			})
		}},
		{"new_passkey_offer", func(r renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			return r.NewPasskey(w, http.StatusOK, lang, templates.NewPasskey{
				Page: page, Passkey: ask, Action: "/account/factors/passkey", Flow: "AZr3", BackURL: "/account/factors", LaterURL: "/oauth2/authorize?flow=AZr3",
			})
		}},
		{"factors_removed", func(r renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			p := fullFactors(account(page))
			p.Notice = templates.FactorRemoved
			p.Accepted = &templates.AcceptedPasskeys{RelyingParty: "id.example.com", User: []byte("ada"), Credentials: [][]byte{{0xfb, 0xff}}}
			return r.Factors(w, http.StatusOK, lang, p)
		}},
		{"recovery_codes", func(r renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			return r.RecoveryCodes(w, http.StatusOK, lang, templates.RecoveryCodes{
				Page: account(page), ContinueURL: "/account/factors",
				Codes: []string{"k7pq-m2xd-9wrt", "b4ns-v8hc-2fyg", "q6tz-j3wk-5mdp", "x9rf-c7bn-4hvs"},
			})
		}},
	}
}

// hostileFactors put the text wherever a page about factors takes one.
func hostileFactors(x string) []fixture {
	type renderer = *templates.Renderer
	page := templates.Page{RequestID: x, Preferences: templates.Preferences{Action: "/preferences", Return: x}}
	client := templates.ClientInfo{Name: x, Host: x, HomeURL: x, PolicyURL: x, TermsURL: x}
	ask := &templates.PasskeyAsk{Options: x, Ceremony: x, AskURL: x, Unknown: x, RelyingParty: x}
	item := templates.FactorItem{Name: x, RenameURL: "/n", RemoveURL: "/r"}
	on := func(name string, render func(r renderer, w http.ResponseWriter, l templates.Language) error) fixture {
		return fixture{name, func(r renderer, w http.ResponseWriter, l templates.Language, _ templates.Page) error {
			return render(r, w, l)
		}}
	}
	return []fixture{
		on("sign_in_passkey", func(r renderer, w http.ResponseWriter, l templates.Language) error {
			return r.SignIn(w, 422, l, templates.SignIn{
				Page: page, Client: &client, Action: "/signin", Flow: x, Passkey: ask, Hidden: []templates.Field{{Name: "return", Value: x}},
				Problems: []templates.SignInProblem{templates.PasskeyUnknown},
			})
		}),
		on("second_factor", func(r renderer, w http.ResponseWriter, l templates.Language) error {
			return r.SecondFactor(w, 200, l, templates.SecondFactor{
				Page: page, Client: &client, UserName: x, Code: true, Passkey: ask, StepUp: true, Action: "/s", Flow: x, Return: x,
			})
		}),
		on("factors", func(r renderer, w http.ResponseWriter, l templates.Language) error {
			return r.Factors(w, 200, l, templates.Factors{
				Page: page, Passkeys: []templates.FactorItem{item}, Apps: []templates.FactorItem{item}, AddPasskeyURL: "/p", AddAppURL: "/a",
				Devices: []templates.DeviceItem{{Device: templates.DeviceName{Browser: x, System: x}, Address: x}}, Action: "/f", Flow: x, ContinueURL: x,
				Accepted: &templates.AcceptedPasskeys{RelyingParty: x, User: []byte(x), Credentials: [][]byte{[]byte(x)}},
			})
		}),
		on("new_app", func(r renderer, w http.ResponseWriter, l templates.Language) error {
			return r.NewApp(w, 200, l, templates.NewApp{Page: page, Key: x, URI: x, Sealed: x, Name: x, Action: "/a", Flow: x, BackURL: "/"})
		}),
		on("new_passkey", func(r renderer, w http.ResponseWriter, l templates.Language) error {
			return r.NewPasskey(w, 200, l, templates.NewPasskey{Page: page, Passkey: ask, Name: x, Action: "/p", Flow: x, BackURL: "/"})
		}),
		on("new_passkey_offer", func(r renderer, w http.ResponseWriter, l templates.Language) error {
			return r.NewPasskey(w, 200, l, templates.NewPasskey{Page: page, Passkey: ask, Name: x, Action: "/p", Flow: x, BackURL: "/", LaterURL: x})
		}),
		on("factor_remove", func(r renderer, w http.ResponseWriter, l templates.Language) error {
			return r.Form(w, 200, l, templates.Form{Page: page, Kind: "factor_remove", About: x, Action: "/r", Flow: x})
		}),
	}
}

func fullFactors(page templates.Page) templates.Factors {
	const day = 24 * 60 * 60 * 1000
	item := func(name string, used int64, cannot bool) templates.FactorItem {
		return templates.FactorItem{
			Name: name, Added: 20_500 * day, Used: used, RenameURL: "/account/factors/name?id=a", RemoveURL: "/account/factors/remove?id=a", CannotRemove: cannot,
		}
	}
	return templates.Factors{
		Page: page, Passkeys: []templates.FactorItem{item("iCloud Keychain", 20_700*day, false), item("Security key", 0, true)},
		Apps: []templates.FactorItem{item("Phone", 20_690*day, false)}, RecoveryCodes: 9, Notice: templates.FactorRenamed,
		Devices:       []templates.DeviceItem{{Device: templates.DeviceName{Browser: "Firefox", System: "Linux"}, Address: "192.0.2.17", Since: 20_690 * day, Until: 20_720 * day}},
		AddPasskeyURL: "/account/factors/passkey", AddAppURL: "/account/factors/app", NewCodesURL: "/account/factors/recovery",
		Action: "/account/factors", Flow: "AZr3",
	}
}

// TestSecondFactorField: one input that code autofill finds, whatever is said.
func TestSecondFactorField(t *testing.T) {
	r := newRenderer(t, templates.Options{})
	for _, f := range factorFixtures() {
		wants := strings.HasPrefix(f.name, "second_factor") && f.name != "second_factor_passkey" && f.name != "second_factor_recovery" || f.name == "new_app"
		found := 0
		for _, e := range elements(t, show(t, r, f).Body.Bytes()) {
			if e.attr["autocomplete"] != "one-time-code" {
				continue
			}
			found++
			_, required := e.attr["required"]
			if e.attr["name"] != "code" || e.attr["inputmode"] != "numeric" || e.attr["pattern"] != "[0-9 ]*" || e.attr["value"] != "" || !required {
				t.Errorf("%s: the field is %v", f.name, e.attr)
			}
		}
		if wants && found != 1 || !wants && found != 0 {
			t.Errorf("%s: %d fields for a code", f.name, found)
		}
	}
}

// TestTooLongForQR: what no picture can hold is an error, and nothing is written.
func TestTooLongForQR(t *testing.T) {
	r := newRenderer(t, templates.Options{})
	w := &silent{header: http.Header{}}
	if err := r.NewApp(w, http.StatusOK, r.Language(), templates.NewApp{URI: strings.Repeat("x", 4000)}); err == nil || w.wrote {
		t.Errorf("error %v, written %v", err, w.wrote)
	}
}

type silent struct {
	header http.Header
	wrote  bool
}

func (s *silent) Header() http.Header { return s.header }
func (s *silent) WriteHeader(int)     { s.wrote = true }
func (s *silent) Write(b []byte) (int, error) {
	s.wrote = true
	return len(b), nil
}
