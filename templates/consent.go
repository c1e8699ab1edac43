package templates

import (
	"net/http"
	"slices"
)

// Consent asks whether an app may have what it asks for. Its form posts "flow",
// "scope" (once for each ticked optional scope; the others are the server's to
// know) and "action" ("allow" or "deny").
type Consent struct {
	Page
	Client ClientInfo
	// UserName is who is signed in, as that person knows it: the mail or the username.
	UserName  string
	SwitchURL string // to another account; empty for none
	Warnings  []ConsentWarning
	Groups    []ScopeGroup
	Flow      string
	Action    string
}

// ConsentWarning is a reason to look twice.
type ConsentWarning string

// The warnings. A program on the device cannot prove who it is (RFC 8252 §8.6).
const (
	WarnUnverified   ConsentWarning = "unverified"
	WarnLoopback     ConsentWarning = "loopback"
	WarnCustomScheme ConsentWarning = "custom_scheme"
)

func consentWarnings() []ConsentWarning {
	return []ConsentWarning{WarnUnverified, WarnLoopback, WarnCustomScheme}
}

// ScopeGroup is a heading of the consent page and what stands below it.
type ScopeGroup struct {
	Kind ScopeGroupKind
	// API is the name of the API for a group of kind ScopesAct, empty for none.
	API    string
	Scopes []ScopeItem
}

// ScopeGroupKind is the heading of a group.
type ScopeGroupKind string

// The headings.
const (
	ScopesIdentity ScopeGroupKind = "identity" // know who you are
	ScopesAct      ScopeGroupKind = "act"      // act for you
	ScopesOffline  ScopeGroupKind = "offline"  // keep access when you are away
)

func scopeGroupKinds() []ScopeGroupKind {
	return []ScopeGroupKind{ScopesIdentity, ScopesAct, ScopesOffline}
}

// ScopeItem is one thing that the app asks for.
type ScopeItem struct {
	Name string
	// Text is a sentence for people. The scopes of OpenID Connect and the
	// permissions of the built-in API have ours instead; where it is empty, the bare
	// name is shown, honestly.
	Text string
	// Value is what the app will see of it now, such as the mail address.
	Value    string
	Optional bool // the person may untick it
	Checked  bool // ticked; for optional ones
	// Unavailable means that the person does not hold this permission now.
	Unavailable bool
	New         bool // asked for the first time, beside others already given
}

// ownScopes have texts in the catalog: those of OpenID Connect, and the permissions
// of the built-in API, whose names no other API can have.
func ownScopes() []string {
	return []string{
		"openid", "profile", "email", "address", "phone", "offline_access", "groups",
		"revocations:read", "signals:manage", "signals:all",
		"admin:users:read", "admin:users:write", "admin:users:credentials", "admin:groups:read", "admin:groups:write",
		"admin:apis:read", "admin:apis:write", "admin:clients:read", "admin:clients:write",
		"admin:consents:read", "admin:consents:write", "admin:sessions:read", "admin:sessions:write",
		"admin:keys:read", "admin:keys:write", "admin:revocations:read", "admin:revocations:write", "admin:audit:read",
		"admin:settings:read", "admin:settings:write",
	}
}

type consentData struct {
	Consent
	Sections []scopeSection
}

type scopeSection struct {
	TitleKey, Icon, API string
	Items               []scopeLine
}

type scopeLine struct {
	ScopeItem
	TextKey string // set when the text comes from the catalog
}

// Consent writes the consent page.
func (r *Renderer) Consent(w http.ResponseWriter, status int, lang Language, p Consent) error {
	return r.render(w, status, "consent", consentView(lang, p))
}

func consentView(lang Language, p Consent) *view {
	data := consentData{Consent: p}
	for _, group := range p.Groups {
		section := scopeSection{TitleKey: "consent.group." + string(group.Kind), Icon: string(group.Kind), API: group.API}
		if group.Kind == ScopesAct && group.API != "" {
			section.TitleKey = "consent.group.api"
		}
		for _, item := range group.Scopes {
			section.Items = append(section.Items, scopeLine{ScopeItem: item, TextKey: scopeTextKey(item)})
		}
		data.Sections = append(data.Sections, section)
	}
	return &view{Lang: lang, Page: p.Page, P: data}
}

func scopeTextKey(item ScopeItem) string {
	switch {
	case slices.Contains(ownScopes(), item.Name):
		return "scope." + item.Name
	case item.Text == "":
		return "scope.unknown"
	}
	return ""
}
