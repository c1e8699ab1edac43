package resource

import (
	"slices"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4/json"
)

// maxUnix is the last second of the year 9999: beyond it, sums of times
// overflow and dates do not print.
const maxUnix = 253402300799

// claims is an access token's payload as RFC 9068 §2.2 has it, with the ledger's
// sid, gid and rev. Pointers are numbers whose absence is told from 0.
type claims struct {
	Issuer       string          `json:"iss"`
	Subject      string          `json:"sub"`
	Audience     audience        `json:"aud"`
	ClientID     string          `json:"client_id"`
	ID           string          `json:"jti"`
	Expires      *int64          `json:"exp"`
	IssuedAt     *int64          `json:"iat"`
	NotBefore    *int64          `json:"nbf"`
	Scope        string          `json:"scope"`
	SessionID    string          `json:"sid"`
	GrantID      string          `json:"gid"`
	Rev          *int64          `json:"rev"`
	AuthTime     *int64          `json:"auth_time"`
	ACR          string          `json:"acr"`
	AMR          []string        `json:"amr"`
	Confirmation json.RawMessage `json:"cnf"`
}

// audience is a string or an array of strings (RFC 7519 §4.1.3).
type audience []string

// UnmarshalJSON reads either form.
func (a *audience) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		var one string
		if err := json.Unmarshal(data, &one); err != nil {
			return err
		}
		*a = audience{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(a))
}

func parseClaims(payload []byte) (*claims, error) {
	var c claims
	if err := json.Unmarshal(payload, &c); err != nil {
		return nil, invalidToken("the access token's claims are malformed", err)
	}
	return &c, nil
}

// checkClaims decides whether c is a token of this issuer for this API with all
// that it needs.
func (v *Verifier) checkClaims(c *claims) error {
	switch {
	case c.Issuer != v.issuer:
		return invalidToken("the access token is of another issuer", nil)
	case !slices.Contains(c.Audience, v.audience):
		return invalidToken("the access token is for another audience", nil)
	case c.Subject == "" || c.ClientID == "" || c.ID == "":
		return invalidToken("the access token lacks a subject, a client or an id", nil)
	case c.Rev == nil || *c.Rev < 0:
		return invalidToken("the access token carries no revocation position", nil)
	}
	if !isTime(c.IssuedAt) || !isTime(c.Expires) {
		return invalidToken("the access token lacks its times", nil)
	}
	for _, optional := range []*int64{c.NotBefore, c.AuthTime} {
		if optional != nil && !isTime(optional) {
			return invalidToken("the access token's times are malformed", nil)
		}
	}
	if time.Unix(*c.Expires, 0).Sub(time.Unix(*c.IssuedAt, 0)) > v.maxLifetime {
		return invalidToken("the access token's lifetime is too long", nil)
	}
	return nil
}

// checkSender is the one place where the proof of a token's sender belongs, which
// changes with every request (RFC 9449 §7.1). Bearers have none.
func checkSender(c *claims) error {
	if len(c.Confirmation) > 0 {
		return invalidToken("the access token is bound to its sender and is no bearer token", nil)
	}
	return nil
}

// checkTimes decides whether c is valid at the time now.
func (v *Verifier) checkTimes(c *claims, now time.Time) error {
	issued, expires := time.Unix(*c.IssuedAt, 0), time.Unix(*c.Expires, 0)
	switch {
	case !now.Before(expires.Add(v.leeway)):
		return invalidToken("the access token has expired", nil)
	case issued.After(now.Add(v.leeway)):
		return invalidToken("the access token is from the future", nil)
	case c.NotBefore != nil && time.Unix(*c.NotBefore, 0).After(now.Add(v.leeway)):
		return invalidToken("the access token is not valid yet", nil)
	}
	return nil
}

func isTime(seconds *int64) bool {
	return seconds != nil && *seconds > 0 && *seconds <= maxUnix
}

func (c *claims) token(keyID string) *Token {
	t := &Token{
		Issuer: c.Issuer, Subject: c.Subject, Audience: c.Audience,
		ClientID: c.ClientID, ID: c.ID, SessionID: c.SessionID, GrantID: c.GrantID, Rev: *c.Rev, KeyID: keyID,
		IssuedAt: time.Unix(*c.IssuedAt, 0), ExpiresAt: time.Unix(*c.Expires, 0),
		ACR: c.ACR, AMR: c.AMR,
	}
	if c.AuthTime != nil {
		t.AuthTime = time.Unix(*c.AuthTime, 0)
	}
	// The space is the only separator that RFC 6749 §3.3 knows.
	for scope := range strings.SplitSeq(c.Scope, " ") {
		if scope != "" {
			t.Scopes = append(t.Scopes, scope)
		}
	}
	return t
}
