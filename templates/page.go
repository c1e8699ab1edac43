package templates

// Page is what every page needs besides its own data.
type Page struct {
	// RequestID is shown wherever something went wrong, so that whoever runs
	// this server can find the event.
	RequestID string
	Theme     Theme
	// Preferences is the form for language and theme at the foot of the page.
	Preferences Preferences
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
}

// Field is one hidden value of a form.
type Field struct {
	Name, Value string
}
