package resource

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxFormBytes is how much of a form is searched for a second token.
const maxFormBytes = 64 << 10

// contextKey is the key of an authenticated in a request's context.
type contextKey struct{}

// authenticated is a token and who verified it: a token that another API's
// Verifier accepted means nothing to this one.
type authenticated struct {
	by    *Verifier
	token *Token
}

// FromContext returns the verified token of the request that ctx belongs to.
// It is false for a request that did not come through the middleware.
func FromContext(ctx context.Context) (*Token, bool) {
	found, ok := ctx.Value(contextKey{}).(authenticated)
	return found.token, ok
}

// RequireLogin lets requests with a valid token for this API pass, whatever
// its scope.
func (v *Verifier) RequireLogin(next http.Handler) http.Handler {
	return v.require(need{}, next)
}

// RequireScope lets requests pass whose token carries all of scopes. It
// includes [Verifier.RequireLogin]. It panics if scopes is empty or holds what
// is no scope (RFC 6749 §3.3): such a route would be open to any token, or to
// none.
func (v *Verifier) RequireScope(scopes ...string) func(http.Handler) http.Handler {
	if len(scopes) == 0 {
		panic("resource: a scope is required but none is named")
	}
	for _, scope := range scopes {
		if !isScopeToken(scope) {
			panic(fmt.Sprintf("resource: %q is no scope", scope))
		}
	}
	return func(next http.Handler) http.Handler { return v.require(need{scopes: scopes}, next) }
}

// RequirePermission lets requests pass whose token carries all of perms. A
// permission is a scope of this API that the person holds through a group, so
// this is [Verifier.RequireScope] under the name that operators know.
func (v *Verifier) RequirePermission(perms ...string) func(http.Handler) http.Handler {
	return v.RequireScope(perms...)
}

// need is what a route needs of a token.
type need struct {
	scopes []string
	acr    string
	maxAge time.Duration // zero: any
}

func (v *Verifier) require(n need, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, err := v.authenticate(r)
		if err == nil && !token.hasAll(n.scopes) {
			err = insufficientScope()
		}
		if err == nil {
			err = v.checkAuthentication(token, n)
		}
		if err != nil {
			v.refuse(w, r, err, n)
			return
		}
		ctx := context.WithValue(r.Context(), contextKey{}, authenticated{v, token})
		next.ServeHTTP(w, r.WithContext(ctx))
	})
}

// authenticate returns the verified token that r carries.
func (v *Verifier) authenticate(r *http.Request) (*Token, error) {
	if found, ok := r.Context().Value(contextKey{}).(authenticated); ok && found.by == v {
		return found.token, nil
	}
	raw, err := bearer(r)
	if err != nil {
		return nil, err
	}
	token, err := v.verify(r.Context(), raw) // refuse counts, whatever is refused
	if err != nil {
		return nil, err
	}
	// Last, so that only who holds a token can make the server read a body.
	if err := checkForm(r); err != nil {
		return nil, err
	}
	return token, nil
}

// bearer returns the token in the Authorization header, the only place where
// it is taken from: in a query it would end up in logs (RFC 9700 §2.6).
func bearer(r *http.Request) (string, error) {
	values := r.Header.Values("Authorization")
	if len(values) == 0 {
		return "", noToken()
	}
	if len(values) > 1 {
		return "", invalidRequest("the request has more than one Authorization header")
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return "", noToken()
	}
	token = strings.Trim(token, " ")
	if token == "" || strings.ContainsAny(token, " ,") {
		return "", invalidRequest("the Authorization header does not hold one access token")
	}
	return token, nil
}

// checkForm refuses a form that carries a token besides the header's (RFC 6750
// §2). The handler still reads the whole body.
func checkForm(r *http.Request) error {
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if kind != "application/x-www-form-urlencoded" || r.Body == nil {
		return nil
	}
	start, err := io.ReadAll(io.LimitReader(r.Body, maxFormBytes))
	rest := r.Body
	if err != nil {
		rest = io.NopCloser(failing{err})
	}
	r.Body = replayed{Reader: io.MultiReader(bytes.NewReader(start), rest), Closer: r.Body}
	// What does not parse is the handler's to judge; the good part counts.
	form, _ := url.ParseQuery(string(start))
	if form.Has("access_token") {
		return invalidRequest("the request carries more than one access token")
	}
	return nil
}

// replayed is a body whose start has been read.
type replayed struct {
	io.Reader
	io.Closer
}

// failing is the rest of a body that could not be read.
type failing struct{ err error }

// Read returns the error that reading met.
func (f failing) Read([]byte) (int, error) { return 0, f.err }
