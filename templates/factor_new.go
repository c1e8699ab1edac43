package templates

import (
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

// FactorProblem is something that the person is told about the last try to add a
// factor.
type FactorProblem string

// The problems, each of one of the two pages or of both.
const (
	AppCodeMissing  FactorProblem = "code_missing"
	AppCodeWrong    FactorProblem = "app_code_wrong"
	AppOutdated     FactorProblem = "app_outdated" // another secret is shown now
	PasskeyNotAdded FactorProblem = "passkey_not_added"
	PasskeyKnown    FactorProblem = "passkey_known" // or there are too many
	FactorBadName   FactorProblem = "name"
	TooManyFactors  FactorProblem = "too_many"
)

func newAppProblems() []FactorProblem {
	return []FactorProblem{AppCodeMissing, AppCodeWrong, AppOutdated, FactorBadName, TooManyFactors}
}

func newPasskeyProblems() []FactorProblem {
	return []FactorProblem{PasskeyNotAdded, PasskeyKnown, FactorBadName}
}

// NewApp is the page that adds an authenticator app. Its form posts "flow",
// "sealed", "key", "uri", "code", "factor_name" and the action "continue".
type NewApp struct {
	Page
	Key     string // the secret, in base32
	URI     string // otpauth
	Sealed  string // the secret as it comes back; Key and URI come with it
	Name    string
	Problem FactorProblem
	Action  string
	Flow    string
	BackURL string
}

type newAppData struct {
	NewApp
	QR      qrCode
	Groups  string // Key, in groups of four
	Summary []problem
	// Open is the otpauth link, for who reads the page on the device with the app.
	Open template.URL
}

// NewApp writes the page that adds an authenticator app. It returns an error for a
// URI that is too long for a QR code.
func (r *Renderer) NewApp(w http.ResponseWriter, status int, lang Language, p NewApp) error {
	v := newAppView(lang, p)
	if data := v.P.(newAppData); data.QR.Size == 0 {
		_, err := newQR(p.URI)
		return err
	}
	return r.render(w, status, "new_app", v)
}

func newAppView(lang Language, p NewApp) *view {
	data := newAppData{NewApp: p}
	if code, err := newQR(p.URI); err == nil {
		data.QR = code
	}
	for i, c := range p.Key {
		if i > 0 && i%4 == 0 {
			data.Groups += " "
		}
		data.Groups += string(c)
	}
	if u, err := url.Parse(p.URI); err == nil && u.Scheme == "otpauth" && strings.HasPrefix(p.URI, "otpauth://") {
		data.Open = template.URL(u.String()) // ours, and nothing that a page could run
	}
	switch p.Problem {
	case "":
	case AppCodeMissing, AppCodeWrong, AppOutdated:
		data.Summary = []problem{{Key: "factor.problem." + string(p.Problem), Field: "code"}}
	case FactorBadName:
		data.Summary = []problem{{Key: "factor.problem." + string(p.Problem), Field: "factor_name"}}
	default:
		data.Summary = []problem{{Key: "factor.problem." + string(p.Problem)}}
	}
	return &view{Lang: lang, Page: p.Page, P: data, Failed: len(data.Summary) > 0}
}

// NewPasskey is the page that adds a passkey. Its form posts "flow", "ceremony",
// "response", "factor_name", and, where the page is an offer, "offer".
type NewPasskey struct {
	Page
	Passkey *PasskeyAsk
	Name    string
	Problem FactorProblem
	Action  string
	Flow    string
	BackURL string
	// LaterURL is where somebody goes on who does not want one, if nobody has asked
	// for this page: it then says what a passkey is good for.
	LaterURL string
}

type newPasskeyData struct {
	NewPasskey
	Summary []problem
}

// NewPasskey writes the page that adds a passkey.
func (r *Renderer) NewPasskey(w http.ResponseWriter, status int, lang Language, p NewPasskey) error {
	return r.render(w, status, "new_passkey", newPasskeyView(lang, p))
}

func newPasskeyView(lang Language, p NewPasskey) *view {
	data := newPasskeyData{NewPasskey: p}
	switch p.Problem {
	case "":
	case FactorBadName:
		data.Summary = []problem{{Key: "factor.problem." + string(p.Problem), Field: "factor_name"}}
	default:
		data.Summary = []problem{{Key: "factor.problem." + string(p.Problem)}}
	}
	return &view{Lang: lang, Page: p.Page, P: data, Failed: len(data.Summary) > 0}
}

// RecoveryCodes is the page that shows new recovery codes, which it does once.
type RecoveryCodes struct {
	Page
	Codes       []string
	First       bool // they came with the first factor
	ContinueURL string
}

// Download is the codes as a file, in the link itself: they are kept nowhere. The
// alphabet is ours, and the link is no page.
func (p RecoveryCodes) Download() template.URL {
	return template.URL("data:text/plain;charset=utf-8," + url.PathEscape(strings.Join(p.Codes, "\n")+"\n"))
}

// RecoveryCodes writes the page that shows new recovery codes.
func (r *Renderer) RecoveryCodes(w http.ResponseWriter, status int, lang Language, p RecoveryCodes) error {
	return r.render(w, status, "recovery_codes", &view{Lang: lang, Page: p.Page, P: p})
}
