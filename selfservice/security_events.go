package selfservice

import (
	"context"
	"net/url"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/templates"
)

// fillEvents lists what has happened, from an event on back.
func (h *Security) fillEvents(ctx context.Context, user *accounts.User, before id.ID, lang templates.Language, p *templates.AccountSecurity) error {
	events, more, err := h.Activity.Events(ctx, user, before, shownEvents)
	if err != nil {
		return err
	}
	zone := zoneOf(user)
	for i := range events {
		e := &events[i]
		kind, shown := eventKind(e)
		if !shown {
			continue
		}
		line := templates.AccountEvent{
			Kind: kind, Name: e.Action, App: e.App.In(lang.Tag()), At: instant(e.At, zone), ByOther: byOther(e, user.Subject), Address: e.Address,
		}
		if line.ByOther {
			line.Address = "" // of an administrator: that is theirs
		} else if e.Session != nil {
			d := deviceName(e.Session.UserAgent)
			line.Device = &d
		}
		if !line.ByOther && slices.Contains(reportable(), kind) {
			line.ReportURL = h.Path(pathReport) + "?" + url.Values{"event": {e.ID.String()}}.Encode()
		}
		p.Events = append(p.Events, line)
	}
	if more {
		p.OlderURL = h.Path(pathSecurity) + "?" + url.Values{"before": {events[len(events)-1].ID.String()}}.Encode()
	}
	if !before.IsZero() {
		p.FirstURL = h.Path(pathSecurity)
	}
	return nil
}

// byOther reports whether an operator did it, not the person and not the server by a
// rule.
func byOther(e *accounts.Happened, subject string) bool {
	switch e.Actor.Kind {
	case audit.CommandLine:
		return true
	case audit.Person:
		return e.Actor.ID != subject
	}
	return false
}

// eventKind is the sentence of an event. What only prepares another event is not
// shown; what is not known is shown by its name, so that nothing is kept from the
// person.
func eventKind(e *accounts.Happened) (kind templates.EventKind, shown bool) {
	switch e.Action {
	case "user.mail_code.use", "user.password.reset.code", "user.email.verify.ask", "user.sign_up.ask", "user.invite", "user.invite.withdraw",
		"user.sign_in_link.use":
		return "", false
	}
	if kind, known := eventSentences()[e.Action]; known {
		if e.App.Name == "" && kind == templates.EventAppAllowed {
			return templates.EventOther, true // of an app that is gone
		}
		return kind, true
	}
	return templates.EventOther, true
}

func eventSentences() map[string]templates.EventKind {
	return map[string]templates.EventKind{
		"user.create":               templates.EventCreated,
		"user.sign_in":              templates.EventSignIn,
		"user.sign_in.refuse":       templates.EventSignInRefused,
		"user.sign_in.first_factor": templates.EventFirstStep,
		"user.step_up":              templates.EventStepUp,
		"user.sign_in_link.make":    templates.EventLinkMade,
		"user.mail_code.ask":        templates.EventCodeAsked,
		"session.sign_out":          templates.EventSignOut,
		"session.end":               templates.EventSessionEnded,
		"session.end_others":        templates.EventOthersEnded,
		"user.sign_out_everywhere":  templates.EventEverywhere,
		"user.password.change":      templates.EventPasswordChanged,
		"user.password.reset":       templates.EventPasswordReset,
		"user.password.reset.ask":   templates.EventResetAsked,
		"user.email.change":         templates.EventEmailChanged,
		"user.email.change.ask":     templates.EventEmailAsked,
		"user.email.undo":           templates.EventEmailUndone,
		"user.email.verify":         templates.EventEmailVerified,
		"user.profile.change":       templates.EventProfileChanged,
		"user.update":               templates.EventProfileChanged, // by an operator
		"user.picture.change":       templates.EventPictureChanged,
		"user.picture.remove":       templates.EventPictureChanged,
		"user.factor.add":           templates.EventFactorAdded,
		"user.factor.remove":        templates.EventFactorRemoved,
		"user.factor.rename":        templates.EventFactorRenamed,
		"user.factors.reset":        templates.EventFactorsReset,
		"user.recovery_codes.renew": templates.EventRecoveryCodes,
		"user.recovery_code.use":    templates.EventRecoveryUsed,
		"user.passkey.regress":      templates.EventPasskeyRisk,
		"user.devices.forget":       templates.EventBrowsersForgotten,
		"consent.allow":             templates.EventAppAllowed,
		"consent.disconnect":        templates.EventAppDisconnected,
		"grant.revoke":              templates.EventGrantEnded,
		"user.terms.accept":         templates.EventTermsAccepted,
		"user.staff.grant":          templates.EventRightsGiven,
		"user.superuser.grant":      templates.EventRightsGiven,
		"user.staff.revoke":         templates.EventRightsTaken,
		"user.superuser.revoke":     templates.EventRightsTaken,
		"user.ban":                  templates.EventBlocked,
		"user.unban":                templates.EventUnblocked,
		"user.require":              templates.EventRequired,
		"user.report":               templates.EventReported,
		"user.export":               templates.EventExported,
		"user.delete.plan":          templates.EventDeletionPlanned,
		"user.delete.undo":          templates.EventDeletionUndone,
	}
}

// reportable are the events that somebody else can have brought about only with the
// person's password or device.
func reportable() []templates.EventKind {
	return []templates.EventKind{
		templates.EventSignIn, templates.EventFirstStep, templates.EventStepUp, templates.EventPasswordChanged, templates.EventPasswordReset,
		templates.EventEmailChanged, templates.EventEmailAsked, templates.EventProfileChanged, templates.EventPictureChanged,
		templates.EventFactorAdded, templates.EventFactorRemoved, templates.EventFactorRenamed, templates.EventRecoveryCodes,
		templates.EventRecoveryUsed, templates.EventPasskeyRisk, templates.EventBrowsersForgotten, templates.EventAppAllowed,
		templates.EventExported, templates.EventDeletionPlanned, templates.EventOther,
	}
}
