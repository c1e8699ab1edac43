package accounts

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// What the keyring is used for here.
const (
	keyProofSecret  = "mail-proof-secret"
	keyProofCode    = "mail-proof-code"
	keyProofBrowser = "mail-proof-browser"
	keyProofBinding = "mail-proof-binding"
	keyProofData    = "mail-proof-data"
)

const (
	proofPrefix = "gh_mail_" // lets scanners for leaked secrets find it
	proofSecret = 32         // bytes
	codeDigits  = 8
)

// The buckets of mails. An address gets 5 mails and then one in 10 minutes, a
// network may cause 20 and then one a minute, and all together 500 and then one a
// second: more than that would put the operator on the lists of spammers.
func mailsToAddress() bucket   { return bucket{"mail-address", 5, 10 * time.Minute, false} }
func mailsFromNetwork() bucket { return bucket{"mail-network", 20, time.Minute, false} }
func mailsInTotal() bucket     { return bucket{"mail-total", 500, time.Second, false} }

// pay takes one mail from the buckets of its address and of the network that asks.
// It is asked before anybody looks whether the address is known. A limiter that does
// not answer lets it pass, as at sign-in. Errors: *Throttled.
func (p *Proofs) pay(ctx context.Context, emailKey, network string) ([]payment, error) {
	limits := throttle{p.Limiter, p.Keys, p.Logger}
	due := []payment{
		{limits.key("mail-network", network), mailsFromNetwork()},
		{limits.key("mail-address", emailKey), mailsToAddress()},
		{limits.key("mail-total"), mailsInTotal()},
	}
	var paid []payment
	for _, d := range due {
		wait, err := p.Limiter.Spend(ctx, d.key, d.burst, d.every, 1)
		if err != nil {
			p.Logger.WarnContext(ctx, "limit of mails not checked", "bucket", d.name, "error", err)
			continue
		}
		if wait > 0 {
			limits.giveBack(ctx, paid)
			return nil, &Throttled{Wait: wait}
		}
		paid = append(paid, d)
	}
	return paid, nil
}

// made is a new proof with what only the mail may hold.
type made struct {
	*Proof
	token, code string
}

// make makes a proof that is not kept yet.
func (p *Proofs) make(o order) (*made, error) {
	now := p.Users.now()
	m := &made{
		Proof: &Proof{ID: id.New(), Purpose: o.purpose, EmailKey: o.emailKey, CreatedAt: now, ExpiresAt: now + o.life.Milliseconds()},
		code:  newCode(),
	}
	raw := secret.Random(proofSecret)
	m.token = proofPrefix + base64.RawURLEncoding.EncodeToString(append(m.ID[:], raw...))
	m.SecretHash = p.Keys.MAC(keyProofSecret, m.ID[:], []byte(o.purpose), raw)
	m.CodeHash = p.Keys.MAC(keyProofCode, m.ID[:], []byte(o.purpose), []byte(m.code))
	m.BrowserHash = p.Keys.MAC(keyProofBrowser, m.ID[:], []byte(o.asker.Browser))
	m.Binding = o.binding
	if m.Binding == nil {
		m.Binding = p.Keys.MAC(keyProofBinding, bindingOf(o.purpose, o.user)...)
	}
	if o.user != nil {
		m.UserID, o.data.Subject = o.user.ID, o.user.Subject
	}
	o.data.Email, o.data.Flow = o.email, o.asker.Flow
	text, err := json.Marshal(o.data)
	if err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	if m.Data, err = p.Keys.Seal(keyProofData, text, sealedTo(m.Proof)); err != nil {
		return nil, fmt.Errorf("proof: %w", err)
	}
	return m, nil
}

// issue makes a proof, keeps it and mails it, in one transaction. It costs the same
// whether there is an account or not.
func (p *Proofs) issue(ctx context.Context, actor audit.Actor, action string, o order, mail func(*made) Mail) (*made, error) {
	m, err := p.make(o)
	if err != nil {
		return nil, err
	}
	err = p.Users.record(ctx, actor, func(ctx context.Context, _ int64) (*effect, error) {
		if err := p.Store.InsertProof(ctx, m.Proof); err != nil {
			return nil, fmt.Errorf("keep proof: %w", err)
		}
		e := &effect{action: action, kind: "user", target: o.data.Subject, details: map[string]any{"purpose": string(o.purpose)}}
		maps.Copy(e.details, o.told)
		if o.user != nil {
			e.target = o.user.Subject
		}
		if mail != nil {
			e.mails = []Mail{mail(m)}
		}
		return e, nil
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// bindingOf is what a proof about a user is bound to: if the password, the address
// or the state of the account changes, whoever changed it may have done so because
// somebody else reads the mails. The undoing of a change of address must outlive
// all of that. Without a user there is nothing to be bound to.
func bindingOf(purpose Purpose, u *User) [][]byte {
	parts := [][]byte{[]byte(purpose)}
	if u == nil {
		return parts
	}
	parts = append(parts, u.ID[:])
	if purpose == ProofUndo {
		return parts
	}
	state := fmt.Sprint(u.EmailVerified, u.BannedAt, u.ValidFrom)
	return append(parts, []byte(u.PasswordHash), []byte(u.EmailKey), []byte(state))
}

// sealedTo is what the data of a proof are bound to.
func sealedTo(p *Proof) []byte { return append(p.ID[:], p.Purpose...) }

// newCode makes 8 digits, each as likely as any other.
func newCode() string {
	n, err := rand.Int(rand.Reader, big.NewInt(100_000_000))
	if err != nil {
		panic(err) // the operating system's generator does not fail
	}
	return fmt.Sprintf("%0*d", codeDigits, n)
}
