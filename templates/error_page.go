package templates

import "net/http"

// Error is the page for whatever cannot go on.
type Error struct {
	Page
	Kind ErrorKind
	// Detail is one sentence for the app's developers, such as which parameter
	// is wrong. Never a secret, never the text of an internal error.
	Detail string
	// RetryURL tries again on this server; BackURL leads back to the app, whose
	// name is ClientName. Without either the page links the start page.
	RetryURL   string
	BackURL    string
	ClientName string
}

// ErrorKind chooses the heading and the text of an error page.
type ErrorKind string

// The kinds of error.
const (
	UnknownClient          ErrorKind = "unknown_client"
	BadRedirectURI         ErrorKind = "bad_redirect_uri"
	ExpiredPage            ErrorKind = "expired_page"
	AlreadyUsed            ErrorKind = "already_used"
	InvalidRequest         ErrorKind = "invalid_request"
	AccessDenied           ErrorKind = "access_denied"
	ServerError            ErrorKind = "server_error"
	TemporarilyUnavailable ErrorKind = "temporarily_unavailable"
	NotFound               ErrorKind = "not_found"
	Forbidden              ErrorKind = "forbidden" // the form did not come from our page
	TooManyRequests        ErrorKind = "too_many_requests"
	MethodNotAllowed       ErrorKind = "method_not_allowed"
)

func errorKinds() []ErrorKind {
	return []ErrorKind{
		UnknownClient, BadRedirectURI, ExpiredPage, AlreadyUsed, InvalidRequest, AccessDenied,
		ServerError, TemporarilyUnavailable, NotFound, Forbidden, TooManyRequests, MethodNotAllowed,
	}
}

type errorData struct {
	Error
	TitleKey, TextKey string
}

// Error writes an error page.
func (r *Renderer) Error(w http.ResponseWriter, status int, lang Language, p Error) error {
	return r.render(w, status, "error", errorView(lang, p))
}

func errorView(lang Language, p Error) *view {
	data := errorData{Error: p, TitleKey: "error." + string(p.Kind) + ".title", TextKey: "error." + string(p.Kind) + ".text"}
	return &view{Lang: lang, Page: p.Page, P: data, Failed: true}
}
