package guard

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Need is what a request must show.
type Need struct {
	Permissions []string // the token must carry all of them
	// Optional lets requests without any Authorization pass, as nobody. It does
	// not go together with permissions.
	Optional bool
}

// Check refuses a need that means nothing.
func (n Need) Check() error {
	if n.Optional && len(n.Permissions) > 0 {
		return errors.New("a login that is optional cannot hold permissions")
	}
	for _, p := range n.Permissions {
		if !isPermission(p) {
			return fmt.Errorf("%q is no permission", p)
		}
	}
	return nil
}

// isPermission accepts the names that Gatehouse gives permissions, and those of
// the OpenID Connect scopes.
func isPermission(name string) bool {
	for _, c := range []byte(name) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && !strings.ContainsRune(":_.-", rune(c)) {
			return false
		}
	}
	return name != ""
}

// errUnknownURL is a URL that no need can be read from.
var errUnknownURL = errors.New("the guard is asked at a URL that it does not know")

// needOf reads the URL at which a proxy asks:
//
//	/auth?permission=posts:add&permission=posts:delete
//	/auth?login=optional
//	/auth/...                     a login; what follows is the client's
//	/require/posts:add,posts:delete/...
//	/optional/...
//
// The query counts at /auth alone, where it can only be the configuration's.
// Envoy appends the client's path with its query to the prefix that it was given,
// so below a prefix both are the client's and are not looked at.
func needOf(u *url.URL) (Need, error) {
	path := u.EscapedPath()
	prefix, rest, below := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	switch {
	case path == "/auth":
		return needOfQuery(u.RawQuery)
	case prefix == "auth" && below:
		return Need{}, nil
	case prefix == "optional" && below:
		return Need{Optional: true}, nil
	case prefix == "require" && below:
		names, _, _ := strings.Cut(rest, "/")
		need := Need{Permissions: strings.Split(names, ",")}
		return need, need.Check()
	}
	return Need{}, errUnknownURL
}

func needOfQuery(raw string) (Need, error) {
	var need Need
	query, err := url.ParseQuery(raw)
	if err != nil {
		return need, errors.New("the query cannot be read")
	}
	for name, values := range query {
		switch {
		case name == "permission":
			need.Permissions = values
		case name == "login" && len(values) == 1 && values[0] == "optional":
			need.Optional = true
		case name == "login" && len(values) == 1 && values[0] == "required":
		default:
			return need, fmt.Errorf("the query holds %q, which means nothing", name)
		}
	}
	return need, need.Check()
}
