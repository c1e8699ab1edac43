package signals

import (
	"strconv"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// Who started something (CAEP §2).
const (
	byAdmin  = "admin"
	byUser   = "user"
	byPolicy = "policy"
)

// reasonDeletion is the reason of the row that ends a person.
const reasonDeletion = "deletion"

// cause explains a row's reason.
type cause struct {
	text string
	by   string // empty if it may have been either
}

// causes explains the reasons of the ledger's rows. One that is missing here is
// told by its own name.
func causes() map[string]cause {
	return map[string]cause{
		"sign-out":             {"The person signed out", byUser},
		"session-ended":        {"The session was ended", ""},
		"session-replaced":     {"Another session began in the same browser", byUser},
		"sign-out-everywhere":  {"Every session of the person was ended", ""},
		"password-change":      {"The person changed their password", byUser},
		"password-reset":       {"The password was reset", ""},
		"factor-change":        {"A second factor was added or removed", ""},
		"reported":             {"The person reported something that was not theirs", byUser},
		"address-undone":       {"A change of the mail address was undone", byUser},
		"ban":                  {"The account was disabled", byAdmin},
		reasonDeletion:         {"The account was deleted", ""},
		"membership-removed":   {"The person was taken out of a group", byAdmin},
		"membership-shortened": {"The membership in a group was shortened", byAdmin},
		"membership-ended":     {"The membership in a group has ended", byPolicy},
		"group-taken-out":      {"A group was taken out of another", byAdmin},
		"staff-removed":        {"The person is no longer staff", byAdmin},
		"superuser-removed":    {"The person is no longer superuser", byAdmin},
		"consent-narrowed":     {"The person allowed an app less than before", byUser},
		"permission-revoked":   {"A permission was taken from a group", byAdmin},
		"permission-deleted":   {"A permission was deleted", byAdmin},
		"group-deleted":        {"A group was deleted", byAdmin},
		"api-disabled":         {"An API was disabled", byAdmin},
		"api-deleted":          {"An API was deleted", byAdmin},
	}
}

// explain begins the body of a CAEP event. A reason for administrators is always
// there (CAEP Interoperability Profile §3).
func explain(reason string, at int64) caep {
	c, ok := causes()[reason]
	if !ok {
		c = cause{text: reason}
	}
	if c.text == "" {
		c.text = "Revoked"
	}
	return caep{Timestamp: at / 1000, Initiator: c.by, ReasonAdmin: map[string]string{"en": c.text}}
}

// occurrences are what a row of the ledger tells: of a session whose it is.
//
// The ledger knows that a person's tokens have to be refreshed, not what the new
// ones will hold, and a receiver may not know either. The one claim whose new value
// is certain is rev, the position from which on the person's tokens are good.
func occurrences(r revocation.Row, owner string) []occurrence {
	txn := strconv.FormatInt(r.Position, 10) + "." + strconv.FormatInt(r.At, 36)
	body := explain(r.Reason, r.At)
	one := occurrence{subject: Subject{Sub: r.Key}, txn: txn, at: r.At}
	add := func(list []occurrence, typ string, body any) []occurrence {
		one.typ, one.body = typ, body
		return append(list, one)
	}
	switch r.Kind {
	case revocation.Session:
		if r.Key == "" {
			return nil // a stamp, which ends nothing
		}
		one.subject = Subject{Sub: owner, Session: r.Key}
		return add(nil, typeSessionRevoked, body)
	case revocation.User:
		list := add(nil, typeSessionRevoked, body)
		switch r.Reason {
		case "ban":
			return add(list, typeAccountDisabled, struct{}{})
		case reasonDeletion:
			return add(list, typeAccountPurged, struct{}{})
		case "password-reset":
			return add(list, typeCredentialChange, password(body))
		}
		return list
	case revocation.Membership:
		body.Claims = map[string]any{"rev": r.Position}
		return add(nil, typeTokenClaimsChange, body)
	case revocation.Permission:
		if r.Audience == "" {
			return nil
		}
		one.subject, one.audience = Subject{}, r.Audience
		body.Claims, body.Scope = map[string]any{"rev": r.Position}, r.Key
		return add(nil, typeTokenClaimsChange, body)
	}
	return nil
}

func password(body caep) caep {
	body.CredentialType, body.ChangeType = "password", "update"
	return body
}

// occurrenceOf is what a signal tells.
func occurrenceOf(s accounts.Signal, txn string) (occurrence, bool) {
	o := occurrence{subject: Subject{Sub: s.Subject}, txn: txn, at: s.At}
	switch s.Kind {
	case accounts.SignalUnbanned:
		o.typ, o.body = typeAccountEnabled, struct{}{}
	case accounts.SignalPasswordChanged:
		body := explain("password-change", s.At)
		if !s.Own {
			body.Initiator = byAdmin
		}
		o.typ, o.body = typeCredentialChange, password(body)
	case accounts.SignalPasskeyAdded, accounts.SignalPasskeyRemoved, accounts.SignalTOTPAdded, accounts.SignalTOTPRemoved:
		body := explain("factor-change", s.At)
		body.Initiator = byUser
		if !s.Own {
			body.Initiator = byAdmin
		}
		// CAEP §3.3.1 has no word for a passkey of which nobody knows whether it
		// travels; the platform's is what most are.
		body.CredentialType, body.ChangeType = "fido2-platform", "create"
		if s.Kind == accounts.SignalTOTPAdded || s.Kind == accounts.SignalTOTPRemoved {
			body.CredentialType = "app"
		}
		if s.Kind == accounts.SignalPasskeyRemoved || s.Kind == accounts.SignalTOTPRemoved {
			body.ChangeType = "delete"
		}
		o.typ, o.body = typeCredentialChange, body
	default:
		return occurrence{}, false
	}
	return o, true
}
