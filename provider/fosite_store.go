package provider

import (
	"context"
	"errors"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/pkce"
	"github.com/ory/fosite/storage"

	"github.com/gatehouse-id/gatehouse/internal/counts"
)

// fositeStore is storage and token strategy for fosite. fosite asks for the same
// row several times, and in the second phase into a session that it has filled
// already; everything here is therefore read once, into the request's exchange.
//
// fosite writes in several steps between BeginTX and Commit. Here they are one
// statement, made by Commit; the steps before it have nothing to do.
type fositeStore struct {
	p *Provider
}

var (
	_ fosite.Storage                = (*fositeStore)(nil)
	_ oauth2.CoreStorage            = (*fositeStore)(nil)
	_ oauth2.TokenRevocationStorage = (*fositeStore)(nil)
	_ oauth2.CoreStrategy           = (*fositeStore)(nil)
	_ pkce.PKCERequestStorage       = (*fositeStore)(nil)
	_ storage.Transactional         = (*fositeStore)(nil)
)

// GetClient returns the client of the request, which was read before fosite runs.
func (s *fositeStore) GetClient(ctx context.Context, clientID string) (fosite.Client, error) {
	x := exchangeFrom(ctx)
	if x == nil || x.client == nil || x.client.ClientID != clientID {
		return nil, fosite.ErrNotFound
	}
	return x.client, nil
}

// ClientAssertionJWTValid and SetClientAssertionJWT are part of an authentication
// of clients that is not used.
func (s *fositeStore) ClientAssertionJWTValid(context.Context, string) error { return errNotUsed }

// SetClientAssertionJWT is not used either.
func (s *fositeStore) SetClientAssertionJWT(context.Context, string, time.Time) error {
	return errNotUsed
}

var errNotUsed = errors.New("provider: not used by this server")

// Codes.

// AuthorizeCodeSignature returns the code itself: the store finds it by the id in
// it, not by a signature.
func (s *fositeStore) AuthorizeCodeSignature(_ context.Context, code string) string { return code }

// GenerateAuthorizeCode returns the code of the grant that the flow will become.
func (s *fositeStore) GenerateAuthorizeCode(ctx context.Context, _ fosite.Requester) (string, string, error) {
	x := exchangeFrom(ctx)
	x.code = newCode(x.issue.GrantID)
	code := x.code.String()
	return code, code, nil
}

// ValidateAuthorizeCode checks the expiry. fosite's own takes a missing expiry for
// a fresh code.
func (s *fositeStore) ValidateAuthorizeCode(ctx context.Context, _ fosite.Requester, _ string) error {
	x := exchangeFrom(ctx)
	if x.issue == nil || !x.now.Before(time.UnixMilli(x.issue.ExpiresAt)) {
		x.why = counts.ReasonExpired
		return fosite.ErrTokenExpired.WithHint("The authorization code has expired")
	}
	return nil
}

// CreateAuthorizeCodeSession writes the code.
func (s *fositeStore) CreateAuthorizeCodeSession(ctx context.Context, _ string, _ fosite.Requester) error {
	x := exchangeFrom(ctx)
	x.issue.SecretHash = x.code.hash(s.p.Keyring)
	inserted, err := s.p.Grants.InsertCode(ctx, x.issue)
	if err == nil && !inserted {
		err = errAlreadyUsed
	}
	return x.keep(err)
}

// GetAuthorizeCodeSession reads the code, once.
func (s *fositeStore) GetAuthorizeCodeSession(ctx context.Context, raw string, _ fosite.Session) (fosite.Requester, error) {
	x := exchangeFrom(ctx)
	if x.requester == nil {
		err := s.p.loadCode(ctx, x, raw)
		if errors.Is(err, errReplayed) {
			x.why = counts.ReasonReused
			return x.requester, fosite.ErrInvalidatedAuthorizeCode
		}
		if err != nil {
			_ = x.keep(err)
			return nil, fosite.ErrNotFound
		}
	}
	return x.requester, nil
}

// InvalidateAuthorizeCodeSession has nothing to do: the grant's insertion is what
// uses the code up.
func (s *fositeStore) InvalidateAuthorizeCodeSession(context.Context, string) error { return nil }

// GetPKCERequestSession returns the same row as the code: the challenge cannot be
// lost or deleted apart from it.
func (s *fositeStore) GetPKCERequestSession(ctx context.Context, _ string, _ fosite.Session) (fosite.Requester, error) {
	x := exchangeFrom(ctx)
	if x.issue == nil || x.issue.Challenge == "" {
		return nil, fosite.ErrNotFound
	}
	return x.requester, nil
}

// CreatePKCERequestSession has nothing to do: the challenge is in the code's row.
func (s *fositeStore) CreatePKCERequestSession(context.Context, string, fosite.Requester) error {
	return nil
}

// DeletePKCERequestSession must not do anything: fosite calls it before it has
// looked at the verifier.
func (s *fositeStore) DeletePKCERequestSession(context.Context, string) error { return nil }

// Access tokens. They have no row.

// AccessTokenSignature is asked for a row that does not exist.
func (s *fositeStore) AccessTokenSignature(context.Context, string) string { return "" }

// GenerateAccessToken signs what the gate allowed, and the ID token with it: a
// signature that fails must not have used up a code.
func (s *fositeStore) GenerateAccessToken(ctx context.Context, _ fosite.Requester) (string, string, error) {
	x := exchangeFrom(ctx)
	access, err := s.p.mint(ctx, x)
	if err != nil {
		return "", "", x.keep(err)
	}
	return access, "", nil
}

// ValidateAccessToken belongs to an introspection that is not used.
func (s *fositeStore) ValidateAccessToken(context.Context, fosite.Requester, string) error {
	return errNotUsed
}

// CreateAccessTokenSession has nothing to do.
func (s *fositeStore) CreateAccessTokenSession(context.Context, string, fosite.Requester) error {
	return nil
}

// GetAccessTokenSession belongs to an introspection that is not used.
func (s *fositeStore) GetAccessTokenSession(context.Context, string, fosite.Session) (fosite.Requester, error) {
	return nil, fosite.ErrNotFound
}

// DeleteAccessTokenSession has nothing to do.
func (s *fositeStore) DeleteAccessTokenSession(context.Context, string) error { return nil }

// RevokeAccessToken has nothing to do: the grant's row in the ledger, which
// RevokeRefreshToken writes, ends its access tokens.
func (s *fositeStore) RevokeAccessToken(context.Context, string) error { return nil }

// Refresh tokens.

// RefreshTokenSignature returns the token itself, as with codes.
func (s *fositeStore) RefreshTokenSignature(_ context.Context, token string) string { return token }

// GenerateRefreshToken returns the first token of a grant, or the one successor of
// the token presented.
func (s *fositeStore) GenerateRefreshToken(ctx context.Context, _ fosite.Requester) (string, string, error) {
	x := exchangeFrom(ctx)
	if x.grantType == grantCode {
		x.next = firstRefresh(s.p.Keyring, x.issue.GrantID)
	}
	token := x.next.String()
	return token, token, nil
}

// ValidateRefreshToken has nothing left to check after loadRefresh.
func (s *fositeStore) ValidateRefreshToken(context.Context, fosite.Requester, string) error {
	return nil
}

// CreateRefreshTokenSession has nothing to do: Commit writes.
func (s *fositeStore) CreateRefreshTokenSession(context.Context, string, string, fosite.Requester) error {
	return nil
}

// GetRefreshTokenSession reads the grant of a refresh token, once.
func (s *fositeStore) GetRefreshTokenSession(ctx context.Context, raw string, _ fosite.Session) (fosite.Requester, error) {
	x := exchangeFrom(ctx)
	if x.requester == nil {
		err := s.p.loadRefresh(ctx, x, raw)
		if errors.Is(err, errReplayed) {
			x.why = counts.ReasonReused
			return x.requester, fosite.ErrInactiveToken
		}
		if err != nil {
			_ = x.keep(err)
			return nil, fosite.ErrNotFound
		}
	}
	return x.requester, nil
}

// DeleteRefreshTokenSession has nothing to do: an ended grant keeps its token's
// hash, to recognize it.
func (s *fositeStore) DeleteRefreshTokenSession(context.Context, string) error { return nil }

// RotateRefreshToken has nothing to do: Commit writes.
func (s *fositeStore) RotateRefreshToken(context.Context, string, string) error { return nil }

// RevokeRefreshToken ends the grant whose code or refresh token was replayed.
func (s *fositeStore) RevokeRefreshToken(ctx context.Context, _ string) error {
	x := exchangeFrom(ctx)
	return x.keep(s.p.endReplayed(ctx, x))
}

// BeginTX begins nothing: there is one statement, and Commit makes it.
func (s *fositeStore) BeginTX(ctx context.Context) (context.Context, error) { return ctx, nil }

// Commit writes what may happen once.
func (s *fositeStore) Commit(ctx context.Context) error {
	x := exchangeFrom(ctx)
	switch {
	case x.verdict == nil: // a replay was ended, nothing is issued
		return nil
	case x.grantType == grantCode:
		return x.keep(s.p.redeem(ctx, x))
	case x.grantType == grantRefresh:
		return x.keep(s.p.rotate(ctx, x))
	}
	return nil
}

// Rollback has nothing to undo.
func (s *fositeStore) Rollback(context.Context) error { return nil }

// keep remembers an error that fosite would wrap into something else.
func (x *exchange) keep(err error) error {
	if err != nil && x.err == nil {
		x.err = err
	}
	return err
}
