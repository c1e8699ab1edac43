package templates

import (
	"net/http"
	"time"
)

// AccountSeen shows somebody what an app would be told of them. Its form asks with
// GET for "client", or for "scope" where no app is chosen.
type AccountSeen struct {
	Page
	Client  string
	Clients []Choice
	Scopes  []SeenScope
	Claims  []SeenClaim
	Action  string
}

// SeenScope is a scope that can be chosen, or that the chosen app has.
type SeenScope struct {
	Name    string
	Checked bool
}

// SeenClaim is one thing that an app would be told.
type SeenClaim struct {
	Name   string // as OpenID Connect Core §5.1 calls it
	Text   string
	Lines  []string // instead of Text
	IsBool bool
	Yes    bool
	At     time.Time // instead of Text, if it is not zero
}

// knownClaims have texts in the catalog.
func knownClaims() []string {
	return []string{
		"sub", "name", "given_name", "family_name", "middle_name", "nickname", "preferred_username", "profile", "picture", "website",
		"gender", "birthdate", "zoneinfo", "locale", "updated_at", "email", "email_verified", "phone_number", "phone_number_verified",
		"address", "groups",
	}
}

type accountSeenData struct {
	AccountSeen
	Rows []seenRow
}

type seenRow struct {
	SeenClaim
	Key string // of its text, empty for a claim that we have no text for
}

// AccountSeen writes the page about what an app would see.
func (r *Renderer) AccountSeen(w http.ResponseWriter, status int, lang Language, p AccountSeen) error {
	return r.render(w, status, "account_seen", accountSeenView(lang, p))
}

func accountSeenView(lang Language, p AccountSeen) *view {
	data := accountSeenData{AccountSeen: p}
	for _, c := range p.Claims {
		row := seenRow{SeenClaim: c}
		for _, name := range knownClaims() {
			if name == c.Name {
				row.Key = "data.claim." + name
			}
		}
		data.Rows = append(data.Rows, row)
	}
	return &view{Lang: lang, Page: p.Page, P: data}
}
