package templates

import (
	"net/http"
	"time"
)

// AccountSecurity is the page about where somebody is signed in and what has happened
// to their account. Its forms post "flow", "action" ("end" or "end_others") and
// "session".
type AccountSecurity struct {
	Page
	Notice   SecurityNotice
	Sessions []AccountSession
	Events   []AccountEvent
	// OlderURL leads to the events before these, FirstURL back to the newest; empty
	// for none.
	OlderURL, FirstURL string
	// EventsOnly leaves the rest out: an older page of events.
	EventsOnly                        bool
	PasswordURL, EmailURL, FactorsURL string
	Action, Flow                      string
}

// SecurityNotice says what has just been done.
type SecurityNotice string

// The notices.
const (
	SecurityEnded       SecurityNotice = "ended"
	SecurityEndedOthers SecurityNotice = "ended_others"
	SecurityGone        SecurityNotice = "gone" // the session had ended before
	SecurityReported    SecurityNotice = "reported"
)

func securityNotices() []SecurityNotice {
	return []SecurityNotice{SecurityEnded, SecurityEndedOthers, SecurityGone, SecurityReported}
}

// DeviceName is a browser on a system; what is not known is empty.
type DeviceName struct {
	Browser, System string
}

// AccountSession is a browser in which somebody is signed in.
type AccountSession struct {
	ID                  string
	Device              DeviceName
	Address             string
	FirstSeen, LastSeen time.Time
	Methods             []SignInMethod
	Here                bool // the browser that shows the page
}

// SignInMethod is a way in which somebody proved who they are.
type SignInMethod string

// The methods.
const (
	MethodPassword SignInMethod = "password"
	MethodCode     SignInMethod = "code"
	MethodPasskey  SignInMethod = "passkey"
	MethodOther    SignInMethod = "another"
)

func signInMethods() []SignInMethod {
	return []SignInMethod{MethodPassword, MethodCode, MethodPasskey, MethodOther}
}

// AccountEvent is something that has happened to somebody's account.
type AccountEvent struct {
	Kind    EventKind
	Name    string // what EventOther calls itself
	App     string // the app that it is about
	At      time.Time
	Device  *DeviceName // nil where none is known of
	Address string
	// ByOther says that an operator did it, or the server by a rule.
	ByOther bool
	// ReportURL is where somebody says that it was not them; empty where there is
	// nothing to say.
	ReportURL string
}

// EventKind is the sentence that tells of an event.
type EventKind string

// The kinds of events. EventOther has no sentence of its own.
const (
	EventOther             EventKind = "unknown"
	EventCreated           EventKind = "created"
	EventSignIn            EventKind = "sign_in"
	EventSignInRefused     EventKind = "sign_in_refused"
	EventFirstStep         EventKind = "first_step"
	EventStepUp            EventKind = "step_up"
	EventSignOut           EventKind = "sign_out"
	EventSessionEnded      EventKind = "session_ended"
	EventOthersEnded       EventKind = "others_ended"
	EventEverywhere        EventKind = "everywhere"
	EventPasswordChanged   EventKind = "password_changed"
	EventPasswordReset     EventKind = "password_reset"
	EventResetAsked        EventKind = "reset_asked"
	EventCodeAsked         EventKind = "code_asked"
	EventLinkMade          EventKind = "link_made"
	EventEmailAsked        EventKind = "email_asked"
	EventEmailUndone       EventKind = "email_undone"
	EventEmailChanged      EventKind = "email_changed"
	EventEmailVerified     EventKind = "email_verified"
	EventProfileChanged    EventKind = "profile_changed"
	EventPictureChanged    EventKind = "picture_changed"
	EventFactorAdded       EventKind = "factor_added"
	EventFactorRemoved     EventKind = "factor_removed"
	EventFactorRenamed     EventKind = "factor_renamed"
	EventFactorsReset      EventKind = "factors_reset"
	EventRecoveryCodes     EventKind = "recovery_codes"
	EventRecoveryUsed      EventKind = "recovery_used"
	EventPasskeyRisk       EventKind = "passkey_risk"
	EventBrowsersForgotten EventKind = "browsers_forgotten"
	EventAppAllowed        EventKind = "app_allowed"
	EventAppDisconnected   EventKind = "app_disconnected"
	EventGrantEnded        EventKind = "grant_ended"
	EventTermsAccepted     EventKind = "terms_accepted"
	EventRightsGiven       EventKind = "rights_given"
	EventRightsTaken       EventKind = "rights_taken"
	EventBlocked           EventKind = "blocked"
	EventUnblocked         EventKind = "unblocked"
	EventRequired          EventKind = "required"
	EventReported          EventKind = "reported"
	EventExported          EventKind = "exported"
	EventDeletionPlanned   EventKind = "deletion_planned"
	EventDeletionUndone    EventKind = "deletion_undone"
)

func eventKinds() []EventKind {
	return []EventKind{
		EventOther, EventCreated, EventSignIn, EventSignInRefused, EventFirstStep, EventStepUp, EventSignOut, EventSessionEnded,
		EventOthersEnded, EventEverywhere, EventPasswordChanged, EventPasswordReset, EventResetAsked, EventCodeAsked, EventLinkMade,
		EventEmailAsked, EventEmailUndone, EventEmailChanged, EventEmailVerified, EventProfileChanged, EventPictureChanged,
		EventFactorAdded, EventFactorRemoved, EventFactorRenamed, EventFactorsReset, EventRecoveryCodes, EventRecoveryUsed,
		EventPasskeyRisk, EventBrowsersForgotten, EventAppAllowed, EventAppDisconnected, EventGrantEnded, EventTermsAccepted,
		EventRightsGiven, EventRightsTaken, EventBlocked, EventUnblocked, EventRequired, EventReported, EventExported,
		EventDeletionPlanned, EventDeletionUndone,
	}
}

// AccountSecurity writes the page about sessions and events.
func (r *Renderer) AccountSecurity(w http.ResponseWriter, status int, lang Language, p AccountSecurity) error {
	return r.render(w, status, "account_security", &view{Lang: lang, Page: p.Page, P: p})
}

// Moment writes an instant as the language does, in the zone that it carries. The
// message is a layout of package time, in digits alone.
func (v *view) Moment(at time.Time) (string, error) {
	layout, err := v.T("security.moment")
	if err != nil {
		return "", err
	}
	return at.Format(layout), nil
}

// Device names a browser in words.
func (v *view) Device(d DeviceName) (string, error) {
	switch {
	case d.Browser != "" && d.System != "":
		return v.T("security.device", "Browser", d.Browser, "System", d.System)
	case d.Browser != "":
		return d.Browser, nil
	case d.System != "":
		return d.System, nil
	}
	return v.T("security.unknown_device")
}
