package templates

import (
	"net/http"
	"time"
)

// PasskeyAsk is a question to the passkeys of the person's device, which the
// page's script puts (static/passkey.js).
type PasskeyAsk struct {
	// Options is the JSON that the browser's API takes. Empty where the script has
	// to ask AskURL for it first, by a POST of the form's ticket.
	Options, AskURL string
	// Ceremony goes back with the answer.
	Ceremony string
	// Unknown is the id of a passkey that the last answer came by and that no
	// account has (any more): the script tells the device, which then offers it no
	// longer. RelyingParty is whose passkey it was.
	Unknown, RelyingParty string
}

// SecondFactor is the page that asks who has given one proof for another. Its form
// posts "flow", "return" and "action" ("continue" or "deny"), with "code" or
// "recovery_code", or "ceremony" and "response" of a passkey, and "remember".
type SecondFactor struct {
	Page
	Client   *ClientInfo // nil when the person came without an app; then there is no Cancel
	UserName string
	// Code and Passkey are what the person can go on with; Recovery asks for a
	// recovery code in place of both.
	Code     bool
	Passkey  *PasskeyAsk
	Recovery bool
	Problem  SecondFactorProblem // of the last try; empty for none
	// RetryAfter is the waiting time that FactorWait tells of, rounded up.
	RetryAfter time.Duration
	// StepUp tells somebody who is signed in why they are asked again. Then there is
	// nothing to remember.
	StepUp   bool
	Remember bool // the box is ticked
	Action   string
	Flow     string
	Return   string
	// The ways on: to the page for recovery codes, back from it, and to a sign-in
	// with another account. Each may be empty.
	RecoveryURL, CodeURL, SwitchURL string
}

// SecondFactorProblem is something that the person is told about the last try.
type SecondFactorProblem string

// The problems.
const (
	CodeMissing         SecondFactorProblem = "code_missing"
	CodeWrong           SecondFactorProblem = "code_wrong"
	RecoveryCodeMissing SecondFactorProblem = "recovery_missing"
	RecoveryCodeWrong   SecondFactorProblem = "recovery_wrong"
	PasskeyWrong        SecondFactorProblem = "passkey_wrong"
	FactorWait          SecondFactorProblem = "wait"
)

func secondFactorProblems() []SecondFactorProblem {
	return []SecondFactorProblem{CodeMissing, CodeWrong, RecoveryCodeMissing, RecoveryCodeWrong, PasskeyWrong}
}

// secondFactorKeys are the messages that only code names.
func secondFactorKeys() []string {
	keys := []string{
		"factor.second.title", "factor.second.recovery_title", "factor.second.lead_recovery", "factor.second.lead_either",
		"factor.second.lead_code", "factor.second.lead_passkey", "factor.second.to_recovery", "factor.second.to_code",
	}
	for _, p := range secondFactorProblems() {
		keys = append(keys, "factor.problem."+string(p))
	}
	return keys
}

func secondFactorSamples(lang Language, page Page, client *ClientInfo) []sample {
	full := SecondFactor{
		Page: page, Client: client, UserName: "ada", Code: true, Passkey: &PasskeyAsk{Options: "{}", Ceremony: "c"},
		Action: "/second-factor", Flow: "f", Return: "/account/", RecoveryURL: "/r", CodeURL: "/c", SwitchURL: "/s",
	}
	wait := full
	wait.StepUp, wait.Problem, wait.RetryAfter = true, FactorWait, time.Minute
	list := []sample{
		{"second_factor", secondFactorView(lang, SecondFactor{})},
		{"second_factor", secondFactorView(lang, SecondFactor{StepUp: true})},
		{"second_factor", secondFactorView(lang, wait)},
	}
	for _, p := range secondFactorProblems() {
		full.Problem, full.Recovery = p, p == RecoveryCodeMissing || p == RecoveryCodeWrong
		list = append(list, sample{"second_factor", secondFactorView(lang, full)})
	}
	return list
}

// way leads on from a page; its message is Key.
type way struct {
	Key, URL string
}

type secondFactorData struct {
	SecondFactor
	Summary []problem
	Invalid bool // the code
	LeadKey string
	Title   string
	Ways    []way
}

// SecondFactor writes the page that asks for a second factor.
func (r *Renderer) SecondFactor(w http.ResponseWriter, status int, lang Language, p SecondFactor) error {
	return r.render(w, status, "second_factor", secondFactorView(lang, p))
}

func secondFactorView(lang Language, p SecondFactor) *view {
	data := secondFactorData{SecondFactor: p, Title: "factor.second.title"}
	field := "code"
	switch {
	case p.Recovery:
		data.Title, data.LeadKey, field = "factor.second.recovery_title", "factor.second.lead_recovery", "recovery_code"
	case p.Code && p.Passkey != nil:
		data.LeadKey = "factor.second.lead_either"
	case p.Code:
		data.LeadKey = "factor.second.lead_code"
	default:
		data.LeadKey = "factor.second.lead_passkey"
	}
	for _, way := range []way{
		{Key: "factor.second.to_recovery", URL: p.RecoveryURL},
		{Key: "factor.second.to_code", URL: p.CodeURL},
		{Key: "consent.switch", URL: p.SwitchURL},
	} {
		if way.URL != "" {
			data.Ways = append(data.Ways, way)
		}
	}
	switch p.Problem {
	case "":
	case FactorWait:
		data.Summary = []problem{tooMany(p.RetryAfter)}
	case PasskeyWrong:
		data.Summary = []problem{{Key: "factor.problem." + string(p.Problem)}}
	default:
		data.Summary = []problem{{Key: "factor.problem." + string(p.Problem), Field: field}}
		data.Invalid = true
	}
	return &view{Lang: lang, Page: p.Page, P: data, Failed: len(data.Summary) > 0}
}
