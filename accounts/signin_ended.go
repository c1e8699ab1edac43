package accounts

import (
	"context"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// SignIn is one session of a person as one client knows it, by the ID token that
// it got. The client and the person may be gone.
type SignIn struct {
	ClientID  string
	Subject   string
	SessionID id.ID
}

// SignInStore finds the sign-ins that have ended, of clients that want to be told
// (Client.BackchannelLogoutURI), each once, also of people who were deleted.
type SignInStore interface {
	SignInsOfSessions(ctx context.Context, sessions []id.ID) ([]SignIn, error)
	SignInsOfGrants(ctx context.Context, grants []id.ID) ([]SignIn, error)
	// SignInsOfUser returns those that a user's row in the ledger has ended: what
	// was decided before its position, and had not ended long before its time
	// (Unix milliseconds) for a reason of which the client was told.
	SignInsOfUser(ctx context.Context, subject string, position, at int64) ([]SignIn, error)
	// ForgetSignIns drops what was kept of people who were deleted.
	ForgetSignIns(ctx context.Context, subjects []string) error
}
