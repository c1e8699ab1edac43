package counts

// Kind is what sort of thing is counted.
type Kind string

// The kinds, and what they are told apart by.
const (
	// Token is an answer of the token endpoint; its name is the grant type.
	Token Kind = "token"
	// Refusal is an error of the protocol; its place is the endpoint, its name the
	// error code (RFC 6749 §4.1.2.1, §5.2 and their extensions).
	Refusal Kind = "refusal"
	// Introspection is an answer about a token; its name is Active or Inactive.
	Introspection Kind = "introspection"
	// SignIn is a sign-in that came to an end; its name is Success or the cause of its
	// refusal.
	SignIn Kind = "sign_in"
)

// Names of introspections and of sign-ins.
const (
	Active   = "active"
	Inactive = "inactive"
	Success  = "success"
)

// Other stands for what is in no list.
const Other = "other"

// Endpoints at which requests are refused.
const (
	AtToken      = "token"
	AtAuthorize  = "authorize"
	AtIntrospect = "introspect"
	AtRevoke     = "revoke"
	AtPAR        = "par"
)

// Reasons of refusals, where the error code leaves open which of several it was.
const (
	// ReasonUnknown: there is no such code or token, or it is another client's.
	ReasonUnknown = "unknown"
	ReasonExpired = "expired"
	// ReasonRevoked: what the token stands on has ended.
	ReasonRevoked = "revoked"
	// ReasonReused: what may be used once was used again.
	ReasonReused = "reused"
	// ReasonFactor: the person has not signed in strongly enough.
	ReasonFactor = "factor"
	// ReasonUnknownClient: there is no such client, or it is disabled.
	ReasonUnknownClient = "unknown_client"
	// ReasonRedirectURI: it is not registered for the client.
	ReasonRedirectURI = "redirect_uri"
)

// What is counted. Place and Reason may be empty.
type What struct {
	Kind   Kind
	Place  string
	Name   string
	Reason string
}

// Codes are the error codes that are told apart.
func Codes() []string {
	return []string{
		"access_denied", "account_selection_required", "consent_required", "insufficient_scope", "interaction_required",
		"invalid_client", "invalid_grant", "invalid_request", "invalid_request_uri", "invalid_scope", "invalid_target",
		"invalid_token", "login_required", "registration_not_supported", "request_not_supported",
		"request_uri_not_supported", "server_error", "temporarily_unavailable", "unauthorized_client",
		"unmet_authentication_requirements", "unsupported_grant_type", "unsupported_response_type",
	}
}

// Reasons are those of refusals.
func Reasons() []string {
	return []string{
		ReasonUnknown, ReasonExpired, ReasonRevoked, ReasonReused, ReasonFactor, ReasonUnknownClient, ReasonRedirectURI,
	}
}

// names are those of a kind.
func names(k Kind) []string {
	switch k {
	case Token:
		return []string{"authorization_code", "refresh_token", "client_credentials"}
	case Refusal:
		return Codes()
	case Introspection:
		return []string{Active, Inactive}
	case SignIn:
		return []string{Success, "credentials", "banned", "code", "recovery-code", "passkey"}
	}
	return nil
}

// lists are all names, made once: every request is held against them.
type lists struct {
	names           map[Kind]map[string]bool
	places, reasons map[string]bool
}

func newLists() *lists {
	l := &lists{
		names:   map[Kind]map[string]bool{},
		places:  set([]string{AtToken, AtAuthorize, AtIntrospect, AtRevoke, AtPAR}),
		reasons: set(Reasons()),
	}
	for _, k := range []Kind{Token, Refusal, Introspection, SignIn} {
		l.names[k] = set(names(k))
	}
	return l
}

func set(list []string) map[string]bool {
	m := make(map[string]bool, len(list))
	for _, s := range list {
		m[s] = true
	}
	return m
}

// known is w with names from the lists alone.
func (l *lists) known(w What) What {
	of, is := l.names[w.Kind]
	if !is {
		return What{Kind: Other, Name: Other}
	}
	if !of[w.Name] {
		w.Name = Other
	}
	if w.Place != "" && !l.places[w.Place] {
		w.Place = Other
	}
	if w.Reason != "" && !l.reasons[w.Reason] {
		w.Reason = Other
	}
	return w
}
