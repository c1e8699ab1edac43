package accounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// Purpose is the one thing that a proof is good for.
type Purpose string

// The purposes.
const (
	ProofSignUp     Purpose = "sign-up"      // makes the account that was asked for
	ProofVerify     Purpose = "verify"       // proves the address of an account
	ProofReset      Purpose = "reset"        // chooses another password
	ProofCode       Purpose = "code"         // signs in
	ProofSignInLink Purpose = "sign-in-link" // signs in, made by an operator
	ProofInvitation Purpose = "invitation"   // makes an account as invited
	ProofAddress    Purpose = "address"      // gives an account another address
	ProofUndo       Purpose = "undo"         // takes back the change of an address
)

// For how long proofs are good.
const (
	lifeVerify     = 24 * time.Hour
	lifeReset      = time.Hour
	lifeCode       = 10 * time.Minute
	lifeSignInLink = 30 * time.Minute
	lifeInvitation = 7 * 24 * time.Hour
	lifeUndo       = 7 * 24 * time.Hour
)

// ProofTries is how often a code may be typed. With 8 digits, and as many mails as
// the limits let out, guessing an account's code takes decades.
const ProofTries = 5

var (
	// ErrProofVoid is the one answer to a link or code that is not known, was
	// used, has expired, was replaced by a newer one, or is for something that
	// has changed since.
	ErrProofVoid = errors.New("the link or code is no longer good")
	// ErrClosed is returned when nobody can make an account in this way here.
	ErrClosed = errors.New("sign-up is closed")
)

// WrongCode is returned for a code that is not the one in the mail.
type WrongCode struct {
	Left int // tries
}

// Error implements error.
func (e *WrongCode) Error() string { return fmt.Sprintf("wrong code, %d tries left", e.Left) }

// BadField is returned for something typed that cannot be taken; it wraps why
// (ErrInvalid, ErrConflict, *WeakPassword, ErrClosed).
type BadField struct {
	Field string // name of the input of the hosted forms
	Err   error
}

// Error implements error.
func (e *BadField) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap returns why.
func (e *BadField) Unwrap() error { return e.Err }

// Proof is what a mail carries, as a link or as a code: whoever presents it reads
// the mails of an address. Kept are only keyed hashes.
type Proof struct {
	ID          id.ID
	Purpose     Purpose
	UserID      id.ID // zero without an account
	EmailKey    string
	SecretHash  []byte // of the link
	CodeHash    []byte // of the code
	BrowserHash []byte // of the browser in which it was asked for
	Binding     []byte // of what must not have changed since
	Data        []byte // sealed
	Attempts    int    // of the code
	CreatedAt   int64
	ExpiresAt   int64
	SpentAt     int64 // also set when a newer one replaces it
}

// Live reports whether the proof can still be spent.
func (p *Proof) Live(now int64) bool { return p.SpentAt == 0 && now < p.ExpiresAt }

// ProofStore keeps proofs.
type ProofStore interface {
	// InsertProof keeps a proof and makes those before it of the same purpose,
	// address and user void, without their data. Of several at once exactly one is
	// left.
	InsertProof(ctx context.Context, p *Proof) error
	// OpenProof returns the proof of a purpose and an address, without a user, that was
	// neither spent nor replaced, also when its time has passed; ErrNotFound if there is
	// none.
	OpenProof(ctx context.Context, purpose Purpose, emailKey string) (*Proof, error)
	// OpenProofs returns the proofs of a purpose that can still be spent, in the order of
	// the keys of their addresses and after one of them.
	OpenProofs(ctx context.Context, purpose Purpose, after string, limit int, now int64) ([]Proof, error)
	// ProofByID returns a proof, good or not, or ErrNotFound.
	ProofByID(ctx context.Context, proofID id.ID) (*Proof, error)
	// TryProof counts a try in one statement, and returns how many there were with
	// it; ErrNotFound if the proof is no longer good or was tried as often as most.
	TryProof(ctx context.Context, proofID id.ID, most int, now int64) (int, error)
	// SpendProof spends a proof in one statement, if it is good at the time given
	// and its binding is the one given, else ErrNotFound: of all who try, one wins.
	SpendProof(ctx context.Context, proofID id.ID, binding []byte, now int64) error
}

// Proofs makes proofs, mails them and takes them. What can be done with one is in
// the types that embed it: SignUps, Resets, MailCodes, Verifications, Addresses,
// Invites. Proofs whose purpose is an account's are bound to its password, address
// and state (binding), and die when one of these changes.
type Proofs struct {
	Store   ProofStore
	Users   *Users // its Journal writes what happens and takes the mails
	Limiter Limiter
	Keys    *secret.Keyring
	Logger  *slog.Logger
	Links   Links
	// Device tells a browser in words by its User-Agent, for mails. Nil: it is left out.
	Device func(userAgent string) string
}

// Asker is whoever asks for a mail, or presents what came by it.
type Asker struct {
	Browser  string  // the browser's cookie
	Address  string  // bucket of the client's address
	Language string  // of the page, BCP 47
	Flow     string  // the flow that goes on afterwards; opaque here
	App      AppName // what the operator calls the app to which that leads; empty without one
}

// Entry is who a proof has brought in, for SignIns.Proved.
type Entry struct {
	User *User
	// Position is where the ledger stood before the proof was spent (L2).
	Position int64
	Flow     string // of the asker, if this is the browser in which it was asked for
}

// proofData travels with a proof, sealed.
type proofData struct {
	Subject  string      `json:"sub,omitempty"` // of the user, or that an invited person is to have
	Username string      `json:"username,omitempty"`
	Email    string      `json:"email,omitempty"`
	Name     string      `json:"name,omitempty"`
	Hash     string      `json:"hash,omitempty"` // of the password chosen at sign-up
	Flow     string      `json:"flow,omitempty"`
	Groups   []string    `json:"groups,omitempty"`
	Inviter  audit.Actor `json:"inviter,omitzero"`
	Scope    []string    `json:"scope,omitempty"` // of the inviter's access token
}

// order is a proof to be made, and the mail about it.
type order struct {
	purpose  Purpose
	user     *User  // nil without an account
	email    string // as typed
	emailKey string
	asker    Asker
	life     time.Duration
	data     proofData
	binding  []byte // nil: of the user, or of nothing that changes
	// told is what the event says besides the purpose.
	told map[string]any
}

// actorOf is a person as the one who does something.
func actorOf(u *User) audit.Actor {
	return audit.Actor{Kind: audit.Person, ID: u.Subject, Name: u.Username}
}

// stranger is the actor of what somebody asks for who has not proven anything.
func stranger() audit.Actor { return audit.Actor{Kind: audit.System, ID: "entrance"} }

// languageOf is the language of mails to a user: their own, else that of the page.
func languageOf(u *User, page string) string {
	if u != nil && u.Profile.Locale != "" {
		return u.Profile.Locale
	}
	return page
}

// greeting adds the name of whom a mail is to.
func greeting(u *User, data map[string]string) map[string]string {
	if u != nil && u.Name != "" {
		data[MailDataName] = u.Name
	}
	return data
}

// until is an instant in a mail.
func until(at int64) string { return fmt.Sprint(at) }
