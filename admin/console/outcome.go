package console

import (
	"errors"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/templates"
)

// outcomes are the words about changes that were made: the ends of their messages.
func outcomes() []string {
	return []string{"saved", "created", "deleted", "given", "taken", "added", "removed", "ended", "revoked", "rotated", "forgotten", "invited", "secret_ended", "withdrawn"}
}

// problem is what a page says about an error, and the status that goes with it; 500
// for what nobody here can mend.
func problem(err error) (templates.Said, int) {
	var forbidden *admin.Forbidden
	var weak *accounts.WeakPassword
	var throttled *accounts.Throttled
	switch {
	case errors.As(err, &throttled):
		return templates.Say("console.problem.throttled", "Time", lasting(max(throttled.Wait, time.Second))), http.StatusTooManyRequests
	case errors.As(err, &forbidden):
		return templates.Say("console.problem.forbidden", "Permission", forbidden.Permission), http.StatusForbidden
	case errors.Is(err, admin.ErrMoreThanHeld):
		return templates.Say("console.problem.more_than_held"), http.StatusForbidden
	case errors.Is(err, admin.ErrSuperior):
		return templates.Say("console.problem.superior"), http.StatusForbidden
	case errors.Is(err, admin.ErrSuperuserOnly):
		return templates.Say("console.problem.superuser_only"), http.StatusForbidden
	case errors.Is(err, accounts.ErrLastSuperuser):
		return templates.Say("console.problem.last_superuser"), http.StatusConflict
	case errors.Is(err, admin.ErrUnconfirmed):
		return templates.Say("console.problem.unconfirmed"), http.StatusUnprocessableEntity
	case errors.Is(err, admin.ErrChanged):
		return templates.Say("console.problem.changed"), http.StatusConflict
	case errors.Is(err, admin.ErrOneself):
		return templates.Say("console.problem.oneself"), http.StatusForbidden
	case errors.Is(err, admin.ErrSame):
		return templates.Say("console.problem.same"), http.StatusConflict
	case errors.Is(err, accounts.ErrBuiltin):
		return templates.Say("console.problem.builtin"), http.StatusConflict
	case errors.Is(err, accounts.ErrOfAPI):
		return templates.Say("console.problem.of_api"), http.StatusConflict
	case errors.Is(err, accounts.ErrClosed):
		return templates.Say("console.problem.closed"), http.StatusConflict
	case errors.Is(err, accounts.ErrDeletionPlanned):
		return templates.Say("console.problem.leaving"), http.StatusConflict
	case errors.Is(err, accounts.ErrBanned):
		return templates.Say("console.problem.banned"), http.StatusConflict
	case errors.Is(err, accounts.ErrBusy):
		return templates.Say("console.problem.busy"), http.StatusServiceUnavailable
	case errors.Is(err, accounts.ErrConflict):
		return templates.Say("console.problem.conflict"), http.StatusConflict
	case errors.As(err, &weak):
		return templates.Say("console.weak."+weak.Reason, "Most", weak.MinLength), http.StatusUnprocessableEntity
	case errors.Is(err, accounts.ErrInvalid), errors.Is(err, admin.ErrState):
		return refusedFor(err), http.StatusUnprocessableEntity
	case errors.Is(err, accounts.ErrNotFound):
		return templates.Say("console.problem.not_found"), http.StatusNotFound
	}
	return templates.Said{}, http.StatusInternalServerError
}

// refusal tells what a page says about an error; what nobody here can mend is returned
// as it is.
func refusal(err error) (templates.Said, error) {
	if err == nil {
		return templates.Said{}, nil
	}
	said, status := problem(err)
	if status == http.StatusInternalServerError {
		return templates.Said{}, err
	}
	return said, nil
}

func gone(err error) bool { return errors.Is(err, accounts.ErrNotFound) }
