package accounts

import "net/url"

// Where the links of mails lead, relative to the issuer. Each of these pages only
// shows what would be done; a button does it, for mail scanners open every link.
const (
	PathSignUpConfirm = "/signup/confirm"
	PathVerifyAddress = "/verify-email"
	PathResetPassword = "/reset/password"
	PathReset         = "/reset"
	PathMailCode      = "/signin/code"
	PathInvitation    = "/invitation"
	PathEmailConfirm  = "/email/confirm"
	PathEmailUndo     = "/email/undo"
	PathLinkSignIn    = "/signin"
	PathLinkSecurity  = "/account/security"
)

// Links makes the URLs that leave the server by mail or command line. They are
// built from the issuer alone: a link made from a request's Host is a link to
// whoever sent the request.
type Links struct {
	Issuer string // without a trailing slash
}

// To is the URL of a path of the issuer.
func (l Links) To(path string, query url.Values) string {
	if len(query) == 0 {
		return l.Issuer + path
	}
	return l.Issuer + path + "?" + query.Encode()
}

// token is the link to a page that takes a token.
func (l Links) token(path, token string) string {
	return l.To(path, url.Values{"token": {token}})
}
