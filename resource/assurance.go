package resource

import (
	"fmt"
	"net/http"
	"slices"
	"time"
)

// RequireACR lets requests pass whose person has signed in well enough, and lately
// enough (RFC 9470): acr is the least authentication context class, such as "aal2"
// for two factors, and maxAge how long ago they may have signed in, in whole seconds
// and with the verifier's leeway. Either may be left out, by "" and by 0. It
// panics if both are, or if acr is no single word.
//
// It includes [Verifier.RequireLogin]. Around [Verifier.RequireScope] or within it,
// a route needs both. An app that is refused sends the person back to the issuer
// with the acr_values and max_age of the answer, and comes again with a new token.
//
// Tokens say how their person signed in only for an API that is registered with
// authentication_claims; without it every token is refused here. So are the tokens
// of machines, which do not sign in.
func (v *Verifier) RequireACR(acr string, maxAge time.Duration) func(http.Handler) http.Handler {
	switch {
	case acr == "" && maxAge == 0:
		panic("resource: neither an acr nor an age is required")
	case acr != "" && !isScopeToken(acr):
		panic(fmt.Sprintf("resource: %q is no acr", acr))
	case maxAge < 0 || maxAge%time.Second != 0:
		panic(fmt.Sprintf("resource: a max_age of %s is not in whole seconds", maxAge))
	}
	return func(next http.Handler) http.Handler { return v.require(need{acr: acr, maxAge: maxAge}, next) }
}

// checkAuthentication decides whether the token's person has signed in as n wants.
func (v *Verifier) checkAuthentication(t *Token, n need) error {
	switch {
	case n.acr != "" && t.ACR == "", n.maxAge > 0 && t.AuthTime.IsZero():
		return insufficientAuthentication("the access token does not say how its person signed in")
	case !acrAtLeast(t.ACR, n.acr):
		return insufficientAuthentication("the person has to sign in with another factor")
	case n.maxAge > 0 && v.now().Sub(t.AuthTime) > n.maxAge+v.leeway:
		return insufficientAuthentication("the person has to sign in again")
	}
	return nil
}

// acrAtLeast knows the two levels that Gatehouse issues; any other value is met by
// itself alone.
func acrAtLeast(have, want string) bool {
	if want == "" || have == want {
		return true
	}
	levels := []string{"aal1", "aal2"}
	wanted := slices.Index(levels, want)
	return wanted >= 0 && slices.Index(levels, have) >= wanted
}
