package selfservice

import (
	"context"
	"fmt"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/hosted"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// Paths of the entrance that no mail leads to and no other package names.
const (
	PathSetup          = "/setup"
	pathResetConfirm   = "/reset/confirm"
	pathEmail          = "/account/email"
	pathChangePassword = "/.well-known/change-password"
)

// Provers begin the session of somebody who proved who they are, or a pending
// sign-in if they have a second factor (accounts.SignIns).
type Provers interface {
	// Proved returns accounts.ErrCredentials if the proof no longer holds, or
	// accounts.ErrBanned.
	Proved(ctx context.Context, user *accounts.User, position int64, amr []string, m accounts.Meta, device string) (*accounts.Passage, error)
}

// PasswordChanger gives people another password (accounts.Users).
type PasswordChanger interface {
	ChangePassword(ctx context.Context, actor audit.Actor, proof *accounts.Result, password secret.Text, keep id.ID) error
}

// Entrance serves the way in: sign-up, verification, reset, codes by mail,
// invitations, first run, terms; and the changes of password and address. Its fields
// are its dependencies.
type Entrance struct {
	*hosted.Desk
	SignUps       *accounts.SignUps
	Invites       *accounts.Invites
	Resets        *accounts.Resets
	Codes         *accounts.MailCodes
	Verifications *accounts.Verifications
	Addresses     *accounts.Addresses
	Setup         *accounts.Setup
	Terms         *accounts.Terms
	SignIns       Provers
	Apps          Apps // nil: mails do not say to which app somebody is on the way
	Passwords     PasswordChanger

	Mails bool // mails are sent; without, nothing that needs one is there
	// Settings say what else is there; who can sign up, SignUps know.
	Settings accounts.SettingsSource
}

// Mount adds the pages to r, as hosted.Desk.Routes does.
func (h *Entrance) Mount(r *mux.Router, pages func(http.Handler) http.Handler) error {
	err := h.Routes(r, pages, map[string]hosted.Page{
		flow.PathSignUp:            {Get: h.showSignUp, Post: h.signUp},
		accounts.PathSignUpConfirm: {Get: h.showSignUpConfirm, Post: h.confirmSignUp},
		flow.PathVerifyEmail:       {Get: h.showVerify, Post: h.verify},
		accounts.PathReset:         {Get: h.showReset, Post: h.reset},
		pathResetConfirm:           {Get: h.showResetCode, Post: h.resetCode},
		accounts.PathResetPassword: {Get: h.showResetPassword, Post: h.resetPassword},
		accounts.PathMailCode:      {Get: h.showMailCode, Post: h.mailCode},
		flow.PathNewPassword:       {Get: h.showPassword, Post: h.changePassword},
		pathEmail:                  {Get: h.showEmail, Post: h.changeEmail},
		accounts.PathEmailConfirm:  {Get: h.showEmailConfirm, Post: h.confirmEmail},
		accounts.PathEmailUndo:     {Get: h.showEmailUndo, Post: h.undoEmail},
		accounts.PathInvitation:    {Get: h.showInvitation, Post: h.acceptInvitation},
		PathSetup:                  {Get: h.showSetup, Post: h.setUp},
		flow.PathTerms:             {Get: h.showTerms, Post: h.acceptTerms},
		pathChangePassword:         {Get: h.wellKnown},
	})
	if err != nil {
		return fmt.Errorf("entrance: %w", err)
	}
	return nil
}

// wellKnown sends password managers to the page (W3C, A Well-Known URL for Changing
// Passwords).
func (h *Entrance) wellKnown(w http.ResponseWriter, _ *http.Request) {
	h.Redirect(w, h.Path(flow.PathNewPassword))
}
