// Package passkey makes and checks what a passkey is asked and answers (WebAuthn
// Level 3), for accounts.WebAuthn. It is the only importer of go-webauthn.
//
// Invariants:
//   - The RP ID is the issuer's host, or a domain above it that an operator chose and
//     that one party can own; the issuer's origin is the only one, to the letter; no
//     other site may frame the ceremony (crossOrigin).
//   - A passkey is discoverable, and made by a device that verifies its user. A
//     sign-in by passkey alone demands that again; as a second factor it is only
//     preferred.
//   - The user handle is the user's id, so that it tells nothing of the person.
//   - Attestation is not asked for, and what is sent all the same is not kept.
//   - Answers are foreign input: at most MaxResponse bytes are read.
//
// It keeps nothing. That a challenge is answered once, in time and in the browser
// that it was made for, is seen to by accounts.
package passkey

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"golang.org/x/net/publicsuffix"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// MaxResponse is the longest answer that is read, in bytes. One without attestation
// has a few hundred, and a credential id may take 1364 characters twice.
const MaxResponse = 16 << 10

// ceremonyTime is what the browser is told: how long the person may take.
const ceremonyTime = 5 * time.Minute

var (
	// ErrNoDomain is returned by New for an issuer whose host is an address or no
	// domain name: browsers know no passkeys there.
	ErrNoDomain = errors.New("passkeys need a domain name")
	// ErrRelyingParty is returned for an RP ID that browsers refuse at the issuer.
	ErrRelyingParty = errors.New("not a domain of the issuer")
)

// CheckRelyingParty reports whether an issuer may use an RP ID: its own host, or a
// domain above it, but no public suffix, under which others have domains as well
// (WebAuthn Level 3 §5.1.2, HTML "registrable domain suffix"). Errors: ErrNoDomain,
// ErrRelyingParty.
func CheckRelyingParty(issuer *url.URL, id string) error {
	host := strings.ToLower(issuer.Hostname())
	if _, err := netip.ParseAddr(host); err == nil || host == "" {
		return ErrNoDomain
	}
	if id == host {
		return nil
	}
	if id == "" || !strings.HasSuffix(host, "."+id) {
		return fmt.Errorf("%w: %.200q is neither %s nor a domain above it", ErrRelyingParty, id, host)
	}
	if suffix, _ := publicsuffix.PublicSuffix(id); suffix == id {
		return fmt.Errorf("%w: under %s others have domains as well", ErrRelyingParty, id)
	}
	return nil
}

// RelyingParty asks for passkeys and checks their answers. It implements
// accounts.WebAuthn and is safe for concurrent use.
type RelyingParty struct {
	id, origin string
	lib        *webauthn.WebAuthn
}

var _ accounts.WebAuthn = (*RelyingParty)(nil)

// New makes the relying party of an issuer with an RP ID, empty for the issuer's
// host; brand is what devices show. Errors: those of CheckRelyingParty.
func New(issuer *url.URL, id, brand string) (*RelyingParty, error) {
	if id == "" {
		id = strings.ToLower(issuer.Hostname())
	}
	if err := CheckRelyingParty(issuer, id); err != nil {
		return nil, err
	}
	origin := strings.ToLower(issuer.Scheme) + "://" + strings.ToLower(issuer.Host)
	lib, err := webauthn.New(&webauthn.Config{
		RPID: id, RPDisplayName: brand, RPOrigins: []string{origin},
		AttestationPreference: protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{
			ResidentKey: protocol.ResidentKeyRequirementRequired, RequireResidentKey: protocol.ResidentKeyRequired(),
			UserVerification: protocol.VerificationRequired,
		},
		Timeouts: webauthn.TimeoutsConfig{
			Login:        webauthn.TimeoutConfig{Timeout: ceremonyTime, TimeoutUVD: ceremonyTime},
			Registration: webauthn.TimeoutConfig{Timeout: ceremonyTime, TimeoutUVD: ceremonyTime},
		},
		// Some password managers answer what nobody asked. None of it is read.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoDomain, err)
	}
	return &RelyingParty{id: id, origin: origin, lib: lib}, nil
}

// RelyingParty implements accounts.WebAuthn.
func (p *RelyingParty) RelyingParty() string { return p.id }

// Create implements accounts.WebAuthn.
func (p *RelyingParty) Create(u *accounts.User, has []accounts.Passkey) (options, state []byte, err error) {
	owner, err := person(u, has)
	if err != nil {
		return nil, nil, err
	}
	creation, session, err := p.lib.BeginRegistration(owner,
		webauthn.WithCredentialParameters(webauthn.CredentialParametersRecommendedL3()),
		webauthn.WithExclusions(owner.credentials.CredentialDescriptors()))
	if err != nil {
		return nil, nil, fmt.Errorf("ask for a new passkey: %w", err)
	}
	return both(creation.Response, session)
}

// Created implements accounts.WebAuthn.
func (p *RelyingParty) Created(u *accounts.User, state, response []byte) (*accounts.Passkey, error) {
	session, err := sessionOf(state)
	if err != nil {
		return nil, err
	}
	if len(response) > MaxResponse {
		return nil, refused("an answer of %d bytes", len(response))
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes(response)
	if err != nil {
		return nil, refusal(err)
	}
	if err := p.client(&parsed.Response.CollectedClientData); err != nil {
		return nil, err
	}
	// WebAuthn Level 3 §7.1 step 25.
	if n := len(parsed.RawID); n == 0 || n > 1023 {
		return nil, refused("a credential id of %d bytes", n)
	}
	credential, err := p.lib.CreateCredential(owner{user: u}, *session, parsed)
	if err != nil {
		return nil, refusal(err)
	}
	name := maker(credential.Authenticator.AAGUID)
	made := &accounts.Passkey{CredentialID: credential.ID, Name: name}
	return made, store(made, credential)
}

// Ask implements accounts.WebAuthn.
func (p *RelyingParty) Ask(u *accounts.User, has []accounts.Passkey) (options, state []byte, err error) {
	var (
		assertion *protocol.CredentialAssertion
		session   *webauthn.SessionData
	)
	if u == nil {
		assertion, session, err = p.lib.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
	} else {
		var whose owner
		if whose, err = person(u, has); err == nil {
			assertion, session, err = p.lib.BeginLogin(whose, webauthn.WithUserVerification(protocol.VerificationPreferred))
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("ask for a passkey: %w", err)
	}
	return both(assertion.Response, session)
}

// Answered implements accounts.WebAuthn.
func (p *RelyingParty) Answered(state, response []byte, find func(credentialID []byte) (*accounts.Passkey, error)) (*accounts.PasskeyUse, error) {
	session, err := sessionOf(state)
	if err != nil {
		return nil, err
	}
	if len(response) > MaxResponse {
		return nil, refused("an answer of %d bytes", len(response))
	}
	parsed, err := protocol.ParseCredentialRequestResponseBytes(response)
	if err != nil {
		return nil, refusal(err)
	}
	if err := p.client(&parsed.Response.CollectedClientData); err != nil {
		return nil, err
	}
	if len(parsed.RawID) > 1023 {
		return nil, refused("a credential id of %d bytes", len(parsed.RawID))
	}
	found, err := find(parsed.RawID)
	if err != nil {
		return nil, err
	}
	credential, err := p.check(found, session, parsed)
	if err != nil {
		return nil, err
	}
	use := &accounts.PasskeyUse{
		Verified:  parsed.Response.AuthenticatorData.Flags.HasUserVerified(),
		Regressed: credential.Authenticator.CloneWarning,
	}
	credential.Authenticator.CloneWarning = false // of this use, not of the passkey
	used := *found
	use.Passkey = &used
	return use, store(use.Passkey, credential)
}

// check verifies an answer by the passkey that it names. Its owner is known by the
// id of the user; the user handle in the answer, if any, must say the same.
func (p *RelyingParty) check(found *accounts.Passkey, session *webauthn.SessionData, parsed *protocol.ParsedCredentialAssertionData) (*webauthn.Credential, error) {
	var stored webauthn.Credential
	if err := json.Unmarshal([]byte(found.Credential), &stored); err != nil {
		return nil, fmt.Errorf("read stored passkey %s: %w", found.ID, err)
	}
	stored.Authenticator.SignCount = uint32(found.SignCount)
	whose := owner{user: &accounts.User{ID: found.UserID}, credentials: webauthn.Credentials{stored}}
	if len(session.UserID) > 0 {
		// The library wants to see all that were asked for; only the one that answers counts.
		if !slices.ContainsFunc(session.AllowedCredentialIDs, func(id []byte) bool { return slices.Equal(id, stored.ID) }) {
			return nil, refused("a passkey that was not asked for")
		}
		session.AllowedCredentialIDs = [][]byte{stored.ID}
		credential, err := p.lib.ValidateLogin(whose, *session, parsed)
		return credential, refusal(err)
	}
	_, credential, err := p.lib.ValidatePasskeyLogin(func(_, _ []byte) (webauthn.User, error) { return whose, nil }, *session, parsed)
	return credential, refusal(err)
}

// client checks what the library compares less strictly: the origin to the letter,
// and that no other site frames the page.
func (p *RelyingParty) client(c *protocol.CollectedClientData) error {
	if c.Origin != p.origin || c.CrossOrigin || c.TopOrigin != "" {
		return refused("origin %.200q, cross-origin %t, top origin %.200q", c.Origin, c.CrossOrigin, c.TopOrigin)
	}
	return nil
}

// store writes what may change into the passkey. The attestation is forgotten.
func store(p *accounts.Passkey, c *webauthn.Credential) error {
	kept := *c
	kept.Attestation = webauthn.CredentialAttestation{}
	text, err := json.Marshal(kept)
	if err != nil {
		return fmt.Errorf("write passkey: %w", err)
	}
	p.Credential, p.SignCount = string(text), int64(c.Authenticator.SignCount)
	return nil
}

func both(options any, session *webauthn.SessionData) (asked, state []byte, err error) {
	if asked, err = json.Marshal(options); err == nil {
		state, err = json.Marshal(session)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("write passkey options: %w", err)
	}
	return asked, state, nil
}

func sessionOf(state []byte) (*webauthn.SessionData, error) {
	var session webauthn.SessionData
	if err := json.Unmarshal(state, &session); err != nil {
		return nil, fmt.Errorf("read the state of a passkey ceremony: %w", err)
	}
	return &session, nil
}

// refusal makes what the library says of foreign input into accounts.ErrPasskey.
func refusal(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	var e *protocol.Error
	if errors.As(err, &e) {
		text = e.Details + ": " + e.DevInfo
	}
	return refused("%.500s", text)
}

func refused(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{accounts.ErrPasskey}, args...)...)
}

// owner is a user as the library wants to see them.
type owner struct {
	user        *accounts.User
	credentials webauthn.Credentials
}

func person(u *accounts.User, has []accounts.Passkey) (owner, error) {
	o := owner{user: u, credentials: make(webauthn.Credentials, len(has))}
	for i := range has {
		if err := json.Unmarshal([]byte(has[i].Credential), &o.credentials[i]); err != nil {
			return owner{}, fmt.Errorf("read stored passkey %s: %w", has[i].ID, err)
		}
	}
	return o, nil
}

// WebAuthnID is the user handle.
func (o owner) WebAuthnID() []byte { return o.user.ID[:] }

// WebAuthnName is what tells accounts of one person apart.
func (o owner) WebAuthnName() string { return o.user.Username }

// WebAuthnDisplayName is how the person is called.
func (o owner) WebAuthnDisplayName() string {
	if o.user.Name != "" {
		return o.user.Name
	}
	return o.user.Username
}

// WebAuthnCredentials are the passkeys.
func (o owner) WebAuthnCredentials() []webauthn.Credential { return o.credentials }
