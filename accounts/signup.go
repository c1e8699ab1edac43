package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// SignUpMode says who can make an account for themselves.
type SignUpMode string

// The modes.
const (
	SignUpOpen       SignUpMode = "open"       // everybody
	SignUpDomain     SignUpMode = "domain"     // who has an address of an allowed domain
	SignUpInvitation SignUpMode = "invitation" // who was invited
	SignUpClosed     SignUpMode = "closed"     // nobody, not even by an invitation sent before
)

// Open reports whether strangers can sign up without an invitation.
func (m SignUpMode) Open() bool { return m == SignUpOpen || m == SignUpDomain }

// SignUps lets people make accounts for themselves. An account is made when its
// address is proven and not before: nobody can occupy the address of somebody else.
// Whether an address or a username is taken is told only to those who have proven
// an address. Who can is what the settings of Users say at that moment.
type SignUps struct{ *Proofs }

// SignUp is what somebody asks for.
type SignUp struct {
	Username string
	Email    string
	Name     string // may be empty
	Password secret.Text
	Asker    Asker
}

// Open reports whether strangers can sign up without an invitation.
func (s *SignUps) Open(ctx context.Context) bool {
	return CurrentSettings(ctx, s.Users.Settings).SignUp.Open()
}

// Ask mails a link and a code, and returns the id of the proof for the window in
// which it was asked for. Somebody who has an account already is told so by mail.
// Either costs one hash, and the same statements. Errors: ErrClosed, *BadField,
// *Throttled, ErrBusy.
func (s *SignUps) Ask(ctx context.Context, n SignUp) (proofID string, err error) {
	if !s.Open(ctx) {
		return "", ErrClosed
	}
	n.Username, n.Email, n.Name = strings.TrimSpace(n.Username), strings.TrimSpace(n.Email), strings.TrimSpace(n.Name)
	u, err := s.checked(ctx, n)
	if err != nil {
		return "", err
	}
	paid, err := s.pay(ctx, u.EmailKey, n.Asker.Address)
	if err != nil {
		return "", err
	}
	hash, err := s.Users.hashNew(ctx, n.Password, false, u)
	if err != nil {
		throttle{s.Limiter, s.Keys, s.Logger}.giveBack(ctx, paid) // no mail was made
		return "", inField("new_password", err)
	}
	known, _, err := s.Users.Store.UserByLogin(ctx, u.EmailKey)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return "", fmt.Errorf("find user of an address: %w", err)
	}
	o := order{
		purpose: ProofSignUp, email: n.Email, emailKey: u.EmailKey, asker: n.Asker, life: lifeVerify,
		data: proofData{Username: n.Username, Name: n.Name, Hash: hash},
	}
	m, err := s.issue(ctx, stranger(), "user.sign_up.ask", o, func(m *made) Mail {
		if known != nil {
			return s.exists(known, n.Asker.Language)
		}
		data := map[string]string{
			MailDataLink: s.Links.token(PathSignUpConfirm, m.token), MailDataCode: m.code, MailDataUntil: until(m.ExpiresAt),
		}
		if n.Name != "" {
			data[MailDataName] = n.Name
		}
		if app := n.Asker.App.In(n.Asker.Language); app != "" {
			data[MailDataApp] = app
		}
		return Mail{Kind: MailVerifyAddress, To: n.Email, Language: n.Asker.Language, Data: data}
	})
	if err != nil {
		return "", err
	}
	return m.ID.String(), nil
}

// exists tells the owner of an account that somebody wanted to sign up with its
// address.
func (p *Proofs) exists(u *User, language string) Mail {
	return Mail{
		Kind: MailAccountExists, To: u.Email, Language: languageOf(u, language),
		Data: greeting(u, map[string]string{MailDataLink: p.Links.To(PathLinkSignIn, nil), MailDataReset: p.Links.To(PathReset, nil)}),
	}
}

// checked is what is asked for as a user that does not exist, if it could.
func (s *SignUps) checked(ctx context.Context, n SignUp) (*User, error) {
	u, err := s.Users.named(n.Username, n.Email, n.Name)
	if err != nil {
		return nil, err
	}
	if !s.allowed(ctx, u.EmailKey) {
		return nil, &BadField{Field: "email", Err: ErrClosed}
	}
	return u, nil
}

// allowed reports whether an address may be signed up with now.
func (s *SignUps) allowed(ctx context.Context, emailKey string) bool {
	now := CurrentSettings(ctx, s.Users.Settings)
	if now.SignUp != SignUpDomain {
		return now.SignUp.Open()
	}
	_, domain, _ := strings.Cut(emailKey, "@")
	return slices.Contains(now.SignUpDomains, domain)
}

// named is a user with these names, if they can be names. Errors: *BadField.
func (s *Users) named(username, email, name string) (*User, error) {
	u := &User{Username: username, Email: email, Name: name}
	var err error
	if u.UsernameKey, err = UsernameKey(username); err != nil {
		return nil, &BadField{Field: "username", Err: err}
	}
	if u.EmailKey, err = EmailKey(email); err != nil {
		return nil, &BadField{Field: "email", Err: err}
	}
	if name != "" {
		if err := label("name", name, 200); err != nil {
			return nil, &BadField{Field: "name", Err: err}
		}
	}
	return u, nil
}

// inField says which input an error is about, if it is about what was typed.
func inField(field string, err error) error {
	weak := (*WeakPassword)(nil)
	if errors.As(err, &weak) || errors.Is(err, ErrInvalid) {
		return &BadField{Field: field, Err: err}
	}
	return err
}

// SignUpChoice is what somebody may have to add when they confirm: the password that
// they have chosen, in another browser than the one in which they chose it, and
// another username, if theirs was taken.
type SignUpChoice struct {
	Password secret.Text
	Username string
}

// Pending is a sign-up that waits for its address to be proven.
type Pending struct {
	Username, Email string
	// Here says that this browser asked for it. Elsewhere whoever confirms has to
	// know the password: else somebody could make an account with the address of
	// somebody else and a password of their own, and let them confirm it.
	Here bool
}

// Look shows what a link would do. Errors: ErrProofVoid, ErrClosed.
func (s *SignUps) Look(ctx context.Context, token string, a Asker) (*Pending, error) {
	h, err := s.byToken(ctx, ProofSignUp, token, a.Browser)
	if err != nil {
		return nil, err
	}
	if !s.allowed(ctx, h.EmailKey) {
		return nil, ErrClosed
	}
	return &Pending{Username: h.data.Username, Email: h.data.Email, Here: h.here}, nil
}

// Confirm makes the account. Of two who want the same username, one gets it; the
// other one is told (*BadField "username" with ErrConflict), keeps the proof, and can
// choose another. If the address has got an account since, the error is a *BadField
// "email". Errors besides: ErrClosed, ErrProofVoid, *WrongCode, ErrCredentials (the
// password of another browser), *Throttled, ErrBusy.
func (s *SignUps) Confirm(ctx context.Context, e Evidence, choice SignUpChoice) (*Entry, error) {
	h, err := s.take(ctx, ProofSignUp, e)
	if err != nil {
		return nil, err
	}
	if !s.allowed(ctx, h.EmailKey) {
		return nil, ErrClosed
	}
	if !h.here {
		if err := s.knowsPassword(ctx, h, choice.Password); err != nil {
			return nil, err
		}
	}
	n := NewUser{Username: h.data.Username, Email: h.data.Email, EmailVerified: true, Name: h.data.Name, PasswordHash: h.data.Hash}
	if choice.Username != "" {
		n.Username = strings.TrimSpace(choice.Username)
		if _, err := UsernameKey(n.Username); err != nil {
			return nil, &BadField{Field: "username", Err: err}
		}
		// Each try tells whether a name is taken.
		if err := s.payName(ctx, e.Asker.Address); err != nil {
			return nil, err
		}
	}
	return s.enter(ctx, h, n, nil)
}

// knowsPassword checks the password chosen at sign-up; a proof bears few tries.
func (s *SignUps) knowsPassword(ctx context.Context, h *held, password secret.Text) error {
	if password == "" {
		return ErrCredentials
	}
	if _, err := s.try(ctx, h); err != nil {
		return err
	}
	ok, _, err := s.Users.Hasher.Verify(ctx, h.data.Hash, password)
	if err != nil {
		return err
	}
	if !ok {
		return ErrCredentials
	}
	return nil
}

func (p *Proofs) payName(ctx context.Context, network string) error {
	limits := throttle{p.Limiter, p.Keys, p.Logger}
	b := mailsFromNetwork()
	wait, err := p.Limiter.Spend(ctx, limits.key("sign-up-name", network), b.burst, b.every, 1)
	if err != nil {
		p.Logger.WarnContext(ctx, "limit of names not checked", "error", err)
		return nil
	}
	if wait > 0 {
		return &Throttled{Wait: wait}
	}
	return nil
}

// enter spends a proof and makes the account, or neither. also does what else
// belongs to it.
func (p *Proofs) enter(ctx context.Context, h *held, n NewUser, also func(ctx context.Context, u *User) error) (*Entry, error) {
	if n.Subject = h.data.Subject; n.Subject == "" {
		n.Subject = newSubject()
	}
	actor := actorOf(&User{Subject: n.Subject, Username: n.Username})
	err := p.Users.Tx.InTx(ctx, func(ctx context.Context) error {
		if err := p.spend(ctx, h, nil, p.Users.now()); err != nil {
			return err
		}
		u, err := p.Users.Create(ctx, actor, n)
		if err != nil || also == nil {
			return err
		}
		return also(ctx, u)
	})
	if errors.Is(err, ErrConflict) {
		return nil, p.taken(ctx, n)
	}
	if err != nil {
		return nil, err
	}
	key, err := UsernameKey(n.Username)
	if err != nil {
		return nil, err
	}
	u, position, err := p.Users.Store.UserByLogin(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("find the new user: %w", err)
	}
	return &Entry{User: u, Position: position, Flow: h.flow()}, nil
}

// taken says which of the names another account has.
func (p *Proofs) taken(ctx context.Context, n NewUser) error {
	if key, err := EmailKey(n.Email); err == nil {
		_, _, err := p.Users.Store.UserByLogin(ctx, key)
		if err == nil {
			return &BadField{Field: "email", Err: ErrConflict}
		}
		if !errors.Is(err, ErrNotFound) {
			return fmt.Errorf("find user of an address: %w", err)
		}
	}
	return &BadField{Field: "username", Err: ErrConflict}
}
