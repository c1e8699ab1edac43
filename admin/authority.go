package admin

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// Forbidden is returned to a caller who lacks a permission.
type Forbidden struct{ Permission string }

// Error implements error.
func (e *Forbidden) Error() string { return "the permission " + e.Permission + " is needed" }

var (
	// ErrMoreThanHeld refuses to give what the caller does not hold.
	ErrMoreThanHeld = errors.New("this would give more than you hold yourself")
	// ErrSuperior refuses to touch somebody, or a client, who holds what the caller
	// does not.
	ErrSuperior = errors.New("this account or app holds more than you do")
	// ErrSuperuserOnly refuses what only superusers may do.
	ErrSuperuserOnly = errors.New("only a superuser may do this")
)

// need is the first line of every operation.
func (c *Caller) need(permission string) error {
	if !c.May(permission) {
		return &Forbidden{Permission: permission}
	}
	return nil
}

// mayGive refuses unless the caller holds all the permissions.
func (c *Caller) mayGive(permissions []string) error {
	for _, p := range permissions {
		if !c.holds(p) {
			return fmt.Errorf("%w: %s", ErrMoreThanHeld, p)
		}
	}
	return nil
}

// mayTouch refuses if the target, a superuser or not, holds a permission of the
// deployment itself that the caller does not. Holding other things is no shield: who
// may ban authors need not be one.
func (c *Caller) mayTouch(superuser bool, held []string) error {
	if superuser && !c.supreme() {
		return ErrSuperior
	}
	if slices.ContainsFunc(held, func(p string) bool { return accounts.IsBuiltinPermission(p) && !c.holds(p) }) {
		return ErrSuperior
	}
	return nil
}

// mayTakeOver refuses if the target, a superuser or not, holds anything that the
// caller does not: whoever can sign in as somebody has what they have.
func (c *Caller) mayTakeOver(superuser bool, held []string) error {
	if superuser && !c.supreme() {
		return ErrSuperior
	}
	if slices.ContainsFunc(held, func(p string) bool { return !c.holds(p) }) {
		return ErrSuperior
	}
	return nil
}

// mayCrown refuses unless the caller may make and unmake superusers and staff.
func (c *Caller) mayCrown() error {
	if !c.supreme() {
		return ErrSuperuserOnly
	}
	return nil
}
