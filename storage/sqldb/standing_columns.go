package sqldb

import (
	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/provider/granting"
)

// The columns of what a standing joins, and the destinations they are scanned
// into, side by side because their order must agree. Of people, sessions and consents,
// each that cannot hold NULL in its table is read through COALESCE, so that the same
// text serves a row that an outer join did not find: its id is then zero.
//
// A standing reads of a person, a session and a consent what the gate decides by and
// what claims tell: gate...Columns. Who wants the whole row reads the others as well.

const (
	gateUserColumns = `u.id, COALESCE(u.sub, ''), COALESCE(u.username, ''), COALESCE(u.email, ''),
  COALESCE(u.email_verified, false), COALESCE(u.name, ''), COALESCE(u.profile, '{}'), COALESCE(u.superuser, false),
  COALESCE(u.banned_at, 0), COALESCE(u.valid_from, 0), COALESCE(u.updated_at, 0)`
	standingUserColumns = gateUserColumns + `, COALESCE(u.username_key, ''), COALESCE(u.email_key, ''),
  COALESCE(u.password_hash, ''), COALESCE(u.demo, false), COALESCE(u.created_at, 0),
  COALESCE(u.last_sign_in_at, 0), ` + demandedColumns + `, COALESCE(u.terms_accepted_at, 0),
  COALESCE(u.password_changed_at, 0)`
	// What decides what is asked of a person before a code is issued.
	demandedColumns = `COALESCE(u.required_actions, ''), COALESCE(u.terms_version, ''), COALESCE(u.delete_at, 0),
  COALESCE(u.staff, false)`
)

// personColumns are gateUserColumns of a person who is there: each COALESCE costs
// PostgreSQL an expression to prepare, at each execution.
const personColumns = `u.id, u.sub, u.username, u.email,
  u.email_verified, u.name, u.profile, u.superuser,
  u.banned_at, u.valid_from, u.updated_at`

func gateUserDest(dest []any, u *accounts.User) []any {
	return append(dest, &u.ID, &u.Subject, &u.Username, &u.Email,
		&u.EmailVerified, &u.Name, object{&u.Profile}, &u.Superuser,
		&u.BannedAt, &u.ValidFrom, &u.UpdatedAt)
}

func standingUserDest(dest []any, u *accounts.User) []any {
	dest = append(gateUserDest(dest, u), &u.UsernameKey, &u.EmailKey,
		&u.PasswordHash, &u.Demo, &u.CreatedAt,
		&u.LastSignInAt)
	return append(demandedDest(dest, u), &u.TermsAcceptedAt,
		&u.PasswordChangedAt)
}

func demandedDest(dest []any, u *accounts.User) []any {
	return append(dest, (*actions)(&u.RequiredActions), &u.TermsVersion, &u.DeleteAt,
		&u.Staff)
}

const (
	gateSessionColumns = `s.id, s.user_id, COALESCE(s.rev, 0), COALESCE(s.auth_time, 0), COALESCE(s.amr, ''), COALESCE(s.acr, ''),
  COALESCE(s.last_seen_at, 0), COALESCE(s.idle_ends_at, 0), COALESCE(s.expires_at, 0), COALESCE(s.ended_at, 0)`
	sessionColumns = gateSessionColumns + `, s.token_hash, COALESCE(s.created_at, 0), COALESCE(s.end_reason, ''),
  COALESCE(s.user_agent, ''), COALESCE(s.address, '')`
)

func gateSessionDest(dest []any, s *accounts.Session) []any {
	return append(dest, &s.ID, &s.UserID, &s.Rev, &s.AuthTime, (*words)(&s.AMR), &s.ACR,
		&s.LastSeenAt, &s.IdleEndsAt, &s.ExpiresAt, &s.EndedAt)
}

func sessionDest(dest []any, s *accounts.Session) []any {
	return append(gateSessionDest(dest, s), &s.TokenHash, &s.CreatedAt, &s.EndReason,
		&s.UserAgent, &s.Address)
}

const (
	gateConsentColumns = `k.user_id, COALESCE(k.scopes, ''), COALESCE(k.asked, ''), COALESCE(k.valid_from, 0),
  COALESCE(k.revoked_at, 0), COALESCE(k.expires_at, 0)`
	consentColumns = gateConsentColumns + `, k.client_id, COALESCE(k.granted_at, 0), COALESCE(k.updated_at, 0)`
)

func gateConsentDest(dest []any, k *accounts.Consent) []any {
	return append(dest, &k.UserID, (*words)(&k.Scopes), (*words)(&k.Asked), &k.ValidFrom,
		&k.RevokedAt, &k.ExpiresAt)
}

func consentDest(dest []any, k *accounts.Consent) []any {
	return append(gateConsentDest(dest, k), &k.ClientID, &k.GrantedAt, &k.UpdatedAt)
}

const codeColumns = `c.grant_id, c.secret_hash, c.client_id, c.user_id, c.session_id, c.redirect_uri,
  c.challenge, c.nonce, c.scopes, c.resources,
  c.claims, c.rev, c.auth_time, c.amr, c.acr,
  c.created_at, c.expires_at`

func codeDest(dest []any, c *granting.Code) []any {
	return append(dest, &c.GrantID, &c.SecretHash, &c.ClientID, &c.UserID,
		&c.SessionID, &c.RedirectURI,
		&c.Challenge, &c.Nonce, (*words)(&c.Scopes), (*words)(&c.Resources),
		&c.Claims, &c.Rev, &c.AuthTime, (*words)(&c.AMR), &c.ACR,
		&c.CreatedAt, &c.ExpiresAt)
}

const grantColumns = `g.id, g.user_id, g.client_id, g.session_id, g.offline, g.scopes,
  g.resources, g.created_at, g.ended_at, g.end_reason`

func grantDest(dest []any, g *accounts.Grant) []any {
	return append(dest, &g.ID, &g.UserID, &g.ClientID, &g.SessionID,
		&g.Offline, (*words)(&g.Scopes), (*words)(&g.Resources), &g.CreatedAt, &g.EndedAt, &g.EndReason)
}

const fullGrantColumns = grantColumns + `, g.code_hash, g.challenge, g.claims,
  g.rev, g.auth_time, g.amr, g.acr,
  g.refresh_hash, g.refresh_generation, g.refresh_recent,
  g.refresh_idle_ends_at, g.refresh_expires_at, g.purge_at`

func fullGrantDest(dest []any, g *granting.Grant) []any {
	return append(grantDest(dest, &g.Grant), &g.CodeHash, &g.Challenge, &g.Claims,
		&g.Rev, &g.AuthTime, (*words)(&g.AMR), &g.ACR,
		&g.Refresh.Hash, &g.Refresh.Generation, (*times)(&g.Refresh.Recent),
		&g.Refresh.IdleEndsAt, &g.Refresh.ExpiresAt, &g.PurgeAt)
}
