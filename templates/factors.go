package templates

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"
)

// Factors is the page about what a person signs in with beside the password. Its
// form posts "flow" and the action "forget".
type Factors struct {
	Page
	Passkeys []FactorItem
	Apps     []FactorItem
	// Devices are the browsers that need no second factor for a while.
	Devices []DeviceItem
	// RecoveryCodes is how many are left.
	RecoveryCodes int
	// Needed says that the person has to have a factor.
	Needed bool
	Notice FactorNotice
	// The ways to what can be done. AddPasskeyURL is empty where there are no
	// passkeys, NewCodesURL for who has no factor, and ContinueURL for who did not
	// come here on the way to an app.
	AddPasskeyURL, AddAppURL, NewCodesURL, ContinueURL string
	Action, Flow                                       string
	// Accepted is told to the person's devices, if it is set.
	Accepted *AcceptedPasskeys
}

// AcceptedPasskeys are all passkeys of a person, for
// PublicKeyCredential.signalAllAcceptedCredentials (WebAuthn Level 3 §5.1.10.2).
type AcceptedPasskeys struct {
	RelyingParty string
	User         []byte // the user handle
	Credentials  [][]byte
}

// JSON is what the browser's function takes.
func (a *AcceptedPasskeys) JSON() (string, error) {
	list := make([]string, len(a.Credentials))
	for i, c := range a.Credentials {
		list[i] = base64.RawURLEncoding.EncodeToString(c)
	}
	text, err := json.Marshal(map[string]any{
		"rpId": a.RelyingParty, "userId": base64.RawURLEncoding.EncodeToString(a.User), "allAcceptedCredentialIds": list,
	})
	return string(text), err
}

// FactorItem is a passkey or an authenticator app.
type FactorItem struct {
	Name         string
	Added        int64 // Unix milliseconds, as all times here
	Used         int64 // zero if never
	RenameURL    string
	RemoveURL    string
	CannotRemove bool // the last one of somebody who needs one
}

// DeviceItem is a remembered browser.
type DeviceItem struct {
	Device       DeviceName
	Address      string
	Since, Until int64
}

// FactorNotice says what has just been done.
type FactorNotice string

// The notices. FactorLast tells that nothing was done, and why.
const (
	FactorRenamed   FactorNotice = "renamed"
	FactorRemoved   FactorNotice = "removed"
	FactorAdded     FactorNotice = "added"
	FactorForgotten FactorNotice = "forgotten"
	FactorLast      FactorNotice = "last"
)

func factorNotices() []FactorNotice {
	return []FactorNotice{FactorRenamed, FactorRemoved, FactorAdded, FactorForgotten, FactorLast}
}

type factorsData struct {
	Factors
	Sections []factorSection
	Bad      bool // the notice is about something that failed
}

type factorSection struct {
	ID       string // the texts are factor.<ID>.*
	Items    []FactorItem
	AddURL   string
	Title    string
	Text     string
	Empty    string
	Add      string
	Disabled bool // there are none at this address
}

// Factors writes the page about somebody's second factors.
func (r *Renderer) Factors(w http.ResponseWriter, status int, lang Language, p Factors) error {
	return r.render(w, status, "factors", factorsView(lang, p))
}

func factorsView(lang Language, p Factors) *view {
	data := factorsData{Factors: p, Bad: p.Notice == FactorLast}
	for _, s := range []factorSection{
		{ID: "passkeys", Items: p.Passkeys, AddURL: p.AddPasskeyURL, Disabled: p.AddPasskeyURL == ""},
		{ID: "apps", Items: p.Apps, AddURL: p.AddAppURL},
	} {
		prefix := "factor." + s.ID
		s.Title, s.Text, s.Empty, s.Add = prefix+".title", prefix+".text", prefix+".empty", prefix+".add"
		if !s.Disabled || len(s.Items) > 0 {
			data.Sections = append(data.Sections, s)
		}
	}
	return &view{Lang: lang, Page: p.Page, P: data, Failed: data.Bad}
}

// Day writes the day of an instant (UTC) as the language does. The message is a
// layout of package time, in digits alone.
func (v *view) Day(milliseconds int64) (string, error) {
	layout, err := v.T("factor.day")
	if err != nil {
		return "", err
	}
	return time.UnixMilli(milliseconds).UTC().Format(layout), nil
}

func factorKeys() []string {
	keys := []string{"factor.day"}
	for _, section := range []string{"passkeys", "apps"} {
		for _, text := range []string{"title", "text", "empty", "add"} {
			keys = append(keys, "factor."+section+"."+text)
		}
	}
	for _, n := range factorNotices() {
		keys = append(keys, "factor.notice."+string(n))
	}
	for _, p := range newAppProblems() {
		keys = append(keys, "factor.problem."+string(p))
	}
	for _, p := range newPasskeyProblems() {
		keys = append(keys, "factor.problem."+string(p))
	}
	return keys
}

func factorSamples(lang Language, page Page) []sample {
	item := FactorItem{Name: "Phone", Added: 1, Used: 2, RenameURL: "/n", RemoveURL: "/r"}
	last := item
	last.Used, last.CannotRemove = 0, true
	full := Factors{
		Page: page, Passkeys: []FactorItem{item, last}, Apps: []FactorItem{item}, RecoveryCodes: 2, Needed: true,
		Devices:       []DeviceItem{{Device: DeviceName{Browser: "Firefox"}, Address: "192.0.2.1", Since: 1, Until: 2}, {}},
		AddPasskeyURL: "/p", AddAppURL: "/a", NewCodesURL: "/c", ContinueURL: "/oauth2/authorize", Action: "/account/factors", Flow: "f",
	}
	app := NewApp{Page: page, Key: "ABCDEFGHIJKLMNOP", URI: "otpauth://totp/x", Name: "Phone", Action: "/a", Flow: "f", Sealed: "s", BackURL: "/"}
	key := NewPasskey{Page: page, Passkey: &PasskeyAsk{Options: "{}", Ceremony: "c"}, Name: "Phone", Action: "/p", Flow: "f", BackURL: "/"}
	list := []sample{
		{"factors", factorsView(lang, Factors{})},
		{"new_app", newAppView(lang, NewApp{})},
		{"new_app", newAppView(lang, app)},
		{"new_passkey", newPasskeyView(lang, NewPasskey{})},
		{"new_passkey", newPasskeyView(lang, key)},
		{"recovery_codes", &view{Lang: lang, P: RecoveryCodes{}}},
		{"recovery_codes", &view{Lang: lang, Page: page, P: RecoveryCodes{Codes: []string{"abcd", "efgh"}, First: true, ContinueURL: "/"}}},
	}
	for _, n := range factorNotices() {
		full.Notice = n
		list = append(list, sample{"factors", factorsView(lang, full)})
	}
	for _, p := range newAppProblems() {
		app.Problem = p
		list = append(list, sample{"new_app", newAppView(lang, app)})
	}
	for _, p := range newPasskeyProblems() {
		key.Problem = p
		list = append(list, sample{"new_passkey", newPasskeyView(lang, key)})
	}
	return list
}
