package signals

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Types of events.
const (
	typeSessionRevoked    = "https://schemas.openid.net/secevent/caep/event-type/session-revoked"
	typeTokenClaimsChange = "https://schemas.openid.net/secevent/caep/event-type/token-claims-change"
	typeCredentialChange  = "https://schemas.openid.net/secevent/caep/event-type/credential-change"
	typeAccountDisabled   = "https://schemas.openid.net/secevent/risc/event-type/account-disabled"
	typeAccountEnabled    = "https://schemas.openid.net/secevent/risc/event-type/account-enabled"
	typeAccountPurged     = "https://schemas.openid.net/secevent/risc/event-type/account-purged"

	typeVerification  = "https://schemas.openid.net/secevent/ssf/event-type/verification"
	typeStreamUpdated = "https://schemas.openid.net/secevent/ssf/event-type/stream-updated"
)

// supported lists the types that a receiver may ask for.
func supported() []string {
	return []string{
		typeSessionRevoked, typeTokenClaimsChange, typeCredentialChange,
		typeAccountDisabled, typeAccountEnabled, typeAccountPurged,
	}
}

// delivered is what of a request is supported; never nil.
func delivered(requested []string) []string {
	types := []string{}
	for _, t := range supported() {
		if slices.Contains(requested, t) {
			types = append(types, t)
		}
	}
	return types
}

// occurrence is something to be told, to whichever stream wants it.
type occurrence struct {
	typ      string
	subject  Subject
	audience string // of the API, where no person is the subject
	body     any    // the event itself, as JSON
	txn      string // the same for all that one cause makes, and for nothing else
	at       int64  // when it happened, Unix milliseconds
}

// caep is the body of CAEP's events (CAEP §2).
type caep struct {
	Timestamp   int64             `json:"event_timestamp,omitempty"` // Unix seconds
	Initiator   string            `json:"initiating_entity,omitempty"`
	ReasonAdmin map[string]string `json:"reason_admin,omitempty"`

	CredentialType string         `json:"credential_type,omitempty"`
	ChangeType     string         `json:"change_type,omitempty"`
	Claims         map[string]any `json:"claims,omitempty"`
	// Scope is ours: of an event about an API, the permission that was taken from
	// some of its people.
	Scope string `json:"scope,omitempty"`
}

// verification and updated are the bodies of SSF's own events (SSF §8.1.4, §8.1.5).
type verification struct {
	State *string `json:"state,omitempty"`
}

type updated struct {
	Status Status `json:"status"`
	Reason string `json:"reason,omitempty"`
}

// claims are those of a security event token (RFC 8417 §2.2). It has neither sub nor
// exp, so that nobody takes it for another kind of token (SSF §4.1). What happened
// later may be put into a stream first, and a poll's answer has no order: HappenedAt
// tells, also where the event itself has no member for it, as in RISC.
type claims struct {
	Issuer     string         `json:"iss"`
	JTI        string         `json:"jti"`
	IssuedAt   int64          `json:"iat"`
	HappenedAt int64          `json:"toe,omitempty"`
	Audience   string         `json:"aud"`
	Txn        string         `json:"txn"`
	Subject    identifier     `json:"sub_id"`
	Events     map[string]any `json:"events"`
}

// event makes what a stream tells of an occurrence.
func (t *Transmitter) event(s *Stream, o occurrence) (Event, error) {
	subject := identify(t.Issuer.String(), o.subject)
	if o.audience != "" {
		subject = identifyAPI(o.audience)
	}
	return t.made(s, o.typ, subject, o.body, o.txn, o.at)
}

// announce makes an event that tells of the stream itself.
func (t *Transmitter) announce(s *Stream, typ string, body any) (Event, error) {
	subject := identifier{Format: formatOpaque, ID: s.ID.String()}
	return t.made(s, typ, subject, body, id.New().String(), 0)
}

func (t *Transmitter) made(s *Stream, typ string, subject identifier, body any, txn string, at int64) (Event, error) {
	now := t.now()
	e := Event{StreamID: s.ID, JTI: name(s.ID, txn, typ), ID: id.New(), CreatedAt: now}
	var err error
	e.Claims, err = json.Marshal(claims{
		Issuer: t.Issuer.String(), JTI: e.JTI, IssuedAt: now / 1000, HappenedAt: at / 1000,
		Audience: s.ClientID, Txn: txn, Subject: subject, Events: map[string]any{typ: body},
	})
	if err != nil {
		return Event{}, fmt.Errorf("encode security event: %w", err)
	}
	return e, nil
}

// name derives the jti from what makes an event unique, so that what is expanded
// twice is told once.
func name(streamID id.ID, txn, typ string) string {
	h := sha256.New()
	h.Write(streamID[:])
	h.Write([]byte(txn + "\n" + typ))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}
