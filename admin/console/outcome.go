package console

import (
	"errors"
	"net/http"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/templates"
)

// outcomes are the words about changes that were made: the ends of their messages.
func outcomes() []string {
	return []string{"saved", "created", "deleted", "given", "taken", "added", "removed", "ended", "revoked", "rotated", "forgotten"}
}

// problem is what a page says about an error, and the status that goes with it; 500
// for what nobody here can mend.
func problem(err error) (templates.Said, int) {
	var forbidden *admin.Forbidden
	var weak *accounts.WeakPassword
	var field *admin.Field
	switch {
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
	case errors.Is(err, accounts.ErrConflict):
		return templates.Say("console.problem.conflict"), http.StatusConflict
	case errors.As(err, &weak):
		return templates.Say("console.problem.weak_password"), http.StatusUnprocessableEntity
	case errors.As(err, &field):
		return templates.Say("console.problem.field", "Field", field.Name, "Why", field.Err.Error()), http.StatusUnprocessableEntity
	case errors.Is(err, accounts.ErrInvalid), errors.Is(err, admin.ErrState):
		return templates.Say("console.problem.invalid", "Why", strings.TrimPrefix(err.Error(), accounts.ErrInvalid.Error()+": ")), http.StatusUnprocessableEntity
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
