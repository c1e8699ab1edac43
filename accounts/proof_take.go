package accounts

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Evidence is what somebody presents of a mail: the token of its link, in any
// browser, or the code, in the browser in which it was asked for and for the proof
// that this browser was told of.
type Evidence struct {
	Token   string
	ProofID string // as Ask returned it
	Code    string
	Asker   Asker
}

// held is a proof that was presented rightly and is not spent yet.
type held struct {
	*Proof
	data proofData
	// here says that it was asked for in this browser.
	here bool
}

// flow is the flow to go on with: another browser has another.
func (h *held) flow() string {
	if h.here {
		return h.data.Flow
	}
	return ""
}

// take checks evidence without spending it. A code costs a try. Errors:
// ErrProofVoid, *WrongCode.
func (p *Proofs) take(ctx context.Context, purpose Purpose, e Evidence) (*held, error) {
	if e.Token != "" {
		return p.byToken(ctx, purpose, e.Token, e.Asker.Browser)
	}
	h, err := p.peek(ctx, purpose, e)
	if err != nil {
		return nil, err
	}
	code, ok := plainCode(e.Code)
	if !ok {
		return nil, &WrongCode{Left: ProofTries - h.Attempts} // no guess at all
	}
	n, err := p.try(ctx, h)
	if err != nil {
		return nil, err
	}
	if !p.Keys.Verify(keyProofCode, h.CodeHash, h.ID[:], []byte(purpose), []byte(code)) {
		return nil, &WrongCode{Left: ProofTries - n}
	}
	return h, nil
}

// peek is the proof for which a code is typed, in its browser: whoever else knows
// the id must not use up the owner's tries.
func (p *Proofs) peek(ctx context.Context, purpose Purpose, e Evidence) (*held, error) {
	proofID, err := id.Parse(e.ProofID)
	if err != nil {
		return nil, ErrProofVoid
	}
	h, err := p.find(ctx, purpose, proofID, e.Asker.Browser)
	if err != nil {
		return nil, err
	}
	if !h.here || h.Attempts >= ProofTries {
		return nil, ErrProofVoid
	}
	return h, nil
}

// Waiting tells the browser in which a code was asked for which address it was for,
// known here or not, and how many tries are left. Errors: ErrProofVoid.
func (p *Proofs) Waiting(ctx context.Context, purpose Purpose, e Evidence) (email string, left int, err error) {
	h, err := p.peek(ctx, purpose, e)
	if err != nil {
		return "", 0, err
	}
	return h.data.Email, ProofTries - h.Attempts, nil
}

// try counts a try, before it is made: of many at once no more than allowed get
// through.
func (p *Proofs) try(ctx context.Context, h *held) (int, error) {
	n, err := p.Store.TryProof(ctx, h.ID, ProofTries, p.Users.now())
	if errors.Is(err, ErrNotFound) {
		return 0, ErrProofVoid
	}
	if err != nil {
		return 0, fmt.Errorf("count try: %w", err)
	}
	return n, nil
}

// byToken is the proof of a link.
func (p *Proofs) byToken(ctx context.Context, purpose Purpose, token, browser string) (*held, error) {
	proofID, raw, ok := parseToken(token)
	if !ok {
		return nil, ErrProofVoid
	}
	h, err := p.find(ctx, purpose, proofID, browser)
	if err != nil {
		return nil, err
	}
	if !p.Keys.Verify(keyProofSecret, h.SecretHash, h.ID[:], []byte(purpose), raw) {
		return nil, ErrProofVoid
	}
	return h, nil
}

// find reads a proof that is good for a purpose.
func (p *Proofs) find(ctx context.Context, purpose Purpose, proofID id.ID, browser string) (*held, error) {
	found, err := p.Store.ProofByID(ctx, proofID)
	if errors.Is(err, ErrNotFound) {
		return nil, ErrProofVoid
	}
	if err != nil {
		return nil, fmt.Errorf("find proof: %w", err)
	}
	if found.Purpose != purpose || !found.Live(p.Users.now()) {
		return nil, ErrProofVoid
	}
	h := &held{Proof: found}
	if h.data, err = p.opened(found); err != nil {
		return nil, err
	}
	h.here = browser != "" && p.Keys.Verify(keyProofBrowser, found.BrowserHash, found.ID[:], []byte(browser))
	return h, nil
}

// opened is what travels with a proof. Errors: ErrProofVoid.
func (p *Proofs) opened(found *Proof) (data proofData, err error) {
	text, err := p.Keys.Open(keyProofData, found.Data, sealedTo(found))
	if err != nil {
		return data, ErrProofVoid // the secret was changed since, and the old one is gone
	}
	if err := json.Unmarshal(text, &data); err != nil {
		return data, fmt.Errorf("proof: %w", err)
	}
	return data, nil
}

// spend spends a proof in the transaction of what it is for. The user is the
// locked row that it is about, or nil. Errors: ErrProofVoid, also when somebody else
// was quicker.
func (p *Proofs) spend(ctx context.Context, h *held, u *User, now int64) error {
	if u != nil && u.ID != h.UserID || u == nil && !h.UserID.IsZero() {
		return ErrProofVoid
	}
	if !p.Keys.Verify(keyProofBinding, h.Binding, bindingOf(h.Purpose, u)...) {
		return ErrProofVoid
	}
	err := p.Store.SpendProof(ctx, h.ID, h.Binding, now)
	if errors.Is(err, ErrNotFound) {
		return ErrProofVoid
	}
	if err != nil {
		return fmt.Errorf("spend proof: %w", err)
	}
	return nil
}

// subject is the user whom a proof is about, and the ledger's position with them.
// Errors: ErrProofVoid if there is none.
func (p *Proofs) subject(ctx context.Context, h *held) (*User, int64, error) {
	if h.UserID.IsZero() {
		return nil, 0, ErrProofVoid
	}
	u, err := p.Users.Store.UserBySubject(ctx, h.data.Subject)
	if err == nil {
		var position int64
		if u, position, err = p.Users.Store.UserByLogin(ctx, u.UsernameKey); err == nil && u.ID == h.UserID {
			return u, position, nil
		}
	}
	if err == nil || errors.Is(err, ErrNotFound) {
		return nil, 0, ErrProofVoid
	}
	return nil, 0, fmt.Errorf("find user of a proof: %w", err)
}

// parseToken reads the token of a link; each has exactly one text.
func parseToken(token string) (proofID id.ID, raw []byte, ok bool) {
	text, prefixed := strings.CutPrefix(token, proofPrefix)
	encoding := base64.RawURLEncoding.Strict()
	if !prefixed || len(text) != encoding.EncodedLen(len(proofID)+proofSecret) {
		return id.ID{}, nil, false
	}
	b, err := encoding.DecodeString(text)
	if err != nil || len(b) != len(proofID)+proofSecret {
		return id.ID{}, nil, false
	}
	copy(proofID[:], b)
	return proofID, b[len(proofID):], true
}

// plainCode takes out what people and mail programs put between digits.
func plainCode(typed string) (string, bool) {
	if len(typed) > 64 {
		return "", false
	}
	code := strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r == '\u00a0' || r == '\t' {
			return -1
		}
		return r
	}, typed)
	if len(code) != codeDigits || strings.ContainsFunc(code, func(r rune) bool { return r < '0' || r > '9' }) {
		return "", false
	}
	return code, true
}
