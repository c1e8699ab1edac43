package templates

// Page is what every page needs besides its own data.
type Page struct {
	// RequestID is shown wherever something went wrong, so that whoever runs
	// this server can find the event.
	RequestID string
	Theme     Theme
	// Preferences is the form for language and theme at the foot of the page.
	Preferences Preferences
	// Account draws the ways between the pages of an account; nil on other pages.
	Account *AccountNav
}

// AccountNav says which of the pages of an account this one is.
type AccountNav struct {
	Active string // one of accountPages
	// Base is the path of the account's first page, with a slash at its end.
	Base string
}

// accountPages are the pages of an account; each is at Base and its name, the first
// at Base.
func accountPages() []string {
	return []string{"overview", "profile", "security", "factors", "apps", "data"}
}

// Ways are the pages to go to.
func (n *AccountNav) Ways() []AccountWay {
	var list []AccountWay
	for _, name := range accountPages() {
		at := n.Base + name
		if name == "overview" {
			at = n.Base
		}
		list = append(list, AccountWay{Key: "account.nav." + name, URL: at, Here: name == n.Active})
	}
	return list
}

// AccountWay is one entry of the navigation.
type AccountWay struct {
	Key, URL string
	Here     bool
}

// Theme is the person's choice of colours, from their cookie. It is rendered into
// the page, so that nothing flashes.
type Theme string

// The themes. ThemeSystem follows the device.
const (
	ThemeSystem Theme = ""
	ThemeLight  Theme = "light"
	ThemeDark   Theme = "dark"
)

// Preferences describes the form that posts the fields "lang" (a BCP 47 tag; only
// when there is a choice), "theme" ("", "light", "dark") and "return". Without an
// Action the form is not shown.
type Preferences struct {
	Action string
	// Return is the path, on this server, to come back to. Whoever handles the
	// form must check it again.
	Return string
}

// ClientInfo is the app on whose behalf the person is here.
type ClientInfo struct {
	Name string
	// Host is where the person will be sent, as registered and proven:
	// "grafana.example.com". Empty when it says nothing (an app on the device).
	Host string
	// HomeURL is the app's own page; it is linked if its scheme is harmless.
	HomeURL string
	// PolicyURL and TermsURL are the app's pages about privacy and terms of use,
	// linked like HomeURL.
	PolicyURL, TermsURL string
}

// Field is one hidden value of a form.
type Field struct {
	Name, Value string
}
