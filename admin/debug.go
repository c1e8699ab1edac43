package admin

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/provider/keys"
	"github.com/gatehouse-id/gatehouse/revocation"
)

// Protocol is this server's own endpoints, asked in this process in the name of a
// client. *provider.Console is one.
type Protocol interface {
	// Ask sends a request as if the client had shown its credential; by is the person
	// who has it sent. What the endpoint refuses is an answer, not an error.
	Ask(ctx context.Context, by audit.Actor, app *accounts.Client, call Call) (Wire, error)
	// Read takes a token apart that this server issued.
	Read(ctx context.Context, raw string) (*ReadToken, error)
	// Once reports whether a run has not been used yet, and uses it up; until, in Unix
	// milliseconds, says how long that must be remembered.
	Once(ctx context.Context, run id.ID, until int64) (bool, error)
	// Keep remembers what was shown of a run, and Kept returns it, or nothing. It may be
	// lost.
	Keep(ctx context.Context, run id.ID, sealed []byte, ttl time.Duration) error
	Kept(ctx context.Context, run id.ID) ([]byte, error)
	// SpendRevocation takes one row from somebody's budget of revoked tokens. Error:
	// *accounts.Throttled.
	SpendRevocation(ctx context.Context, by audit.Actor) error
}

// Endpoint names one of the protocol's.
type Endpoint string

// The endpoints that can be asked.
const (
	EndpointPush       Endpoint = "push" // pushed authorization requests, RFC 9126
	EndpointToken      Endpoint = "token"
	EndpointIntrospect Endpoint = "introspect"
	EndpointRevoke     Endpoint = "revoke"
	EndpointUserinfo   Endpoint = "userinfo"
)

// Call is a request to an endpoint: a form, or, for userinfo, an access token.
type Call struct {
	Endpoint Endpoint
	Form     url.Values
	Bearer   string
}

// Wire is a request and its answer as they look on the way, but for the client's
// credential, which nobody has shown.
type Wire struct {
	Method string      `json:"m,omitempty"`
	URL    string      `json:"u,omitempty"`
	Header [][2]string `json:"h,omitempty"`
	Form   [][2]string `json:"f,omitempty"`
	// User is the user name of Basic authentication where there is a secret.
	User string `json:"a,omitempty"`

	Status       int         `json:"s,omitempty"`
	AnswerHeader [][2]string `json:"r,omitempty"`
	Body         string      `json:"b,omitempty"`
}

// ReadToken is an ID token or an access token taken apart. Times are Unix seconds.
type ReadToken struct {
	Header, Claims string // JSON, indented
	KeyID          string
	Algorithm      string
	KeyState       keys.State // empty: not one of our keys, or gone
	Signed         bool       // the signature is right
	IssuedAt       int64
	ExpiresAt      int64
	Nonce          string // of an ID token
	Access         bool   // an access token: the rest is set
	Audience       string
	Keys           revocation.Keys
}

// MayDebug reports whether Debuggable would return the app.
func (a *Admin) MayDebug(c *Caller, app *accounts.Client) bool {
	return c.May(accounts.AdminClientsWrite) && c.mayControlApp(app) == nil && app.DisabledAt == 0
}

// Debuggable returns a client in whose name the caller may ask the protocol: who could
// give it another secret could ask as well. Errors: *Forbidden, ErrSuperior, ErrState
// for a client that is switched off, accounts.ErrNotFound.
func (a *Admin) Debuggable(ctx context.Context, c *Caller, clientID string) (*accounts.Client, error) {
	app, err := a.changingClient(ctx, c, clientID)
	if err != nil {
		return nil, err
	}
	if err := c.mayControlApp(app); err != nil {
		return nil, err
	}
	if app.DisabledAt != 0 {
		return nil, accounts.Because(ErrState, "the app is switched off")
	}
	return app, nil
}

// BeginDebug asks the first question of a run, which the audit log tells. Errors: those
// of Debuggable.
func (a *Admin) BeginDebug(ctx context.Context, c *Caller, clientID, grantType string, call Call) (Wire, error) {
	app, err := a.Debuggable(ctx, c, clientID)
	if err != nil {
		return Wire{}, err
	}
	if err := a.Clients.Debugged(ctx, c.Actor, app, grantType); err != nil {
		return Wire{}, err
	}
	return a.Protocol.Ask(ctx, c.Actor, app, call)
}

// Debug asks another question. Errors: those of Debuggable.
func (a *Admin) Debug(ctx context.Context, c *Caller, clientID string, call Call) (Wire, error) {
	app, err := a.Debuggable(ctx, c, clientID)
	if err != nil {
		return Wire{}, err
	}
	return a.Protocol.Ask(ctx, c.Actor, app, call)
}

// RedeemDebug exchanges the code that a run has led to, which happens once: a page that
// is loaded again must not look like a code that was stolen. until is when the run ends,
// Unix milliseconds. Errors: those of Debuggable, ErrState.
func (a *Admin) RedeemDebug(ctx context.Context, c *Caller, clientID string, run id.ID, until int64, form url.Values) (Wire, error) {
	app, err := a.Debuggable(ctx, c, clientID)
	if err != nil {
		return Wire{}, err
	}
	first, err := a.Protocol.Once(ctx, run, until)
	if err != nil {
		return Wire{}, fmt.Errorf("use a run up: %w", err)
	}
	if !first {
		return Wire{}, accounts.Because(ErrState, "this answer was used already")
	}
	return a.Protocol.Ask(ctx, c.Actor, app, Call{Endpoint: EndpointToken, Form: form})
}

// EndDebugged ends the grant of an access token that a run led to, which must be the
// caller's own by this client. Errors: those of Debuggable, accounts.ErrNotFound.
func (a *Admin) EndDebugged(ctx context.Context, c *Caller, clientID, raw string) error {
	app, err := a.Debuggable(ctx, c, clientID)
	if err != nil {
		return err
	}
	t, err := a.Protocol.Read(ctx, raw)
	if err != nil {
		return err
	}
	grant, err := id.Parse(t.Keys.GrantID)
	if err != nil || !t.Signed || t.Keys.Subject != c.Subject || t.Keys.ClientID != app.ClientID {
		return fmt.Errorf("grant: %w", accounts.ErrNotFound)
	}
	return a.Consents.RevokeGrant(ctx, c.Actor, grant, accounts.ReasonRevoked)
}

// AppAPIs are the APIs of what an app may ask for or holds, with nothing else of them:
// that takes another permission. The app is one that the caller was given.
func (a *Admin) AppAPIs(ctx context.Context, app *accounts.Client) ([]accounts.API, error) {
	all, err := a.APIs.Store.ListAPIs(ctx)
	if err != nil {
		return nil, fmt.Errorf("APIs of an app: %w", err)
	}
	return accounts.APIsOf(app, all), nil
}
