package templates

import (
	"net/http"
	"net/url"
	"time"
)

// AccountApps lists the apps that have to do with somebody's account. Its form posts
// "flow", "action" ("disconnect") and "client".
type AccountApps struct {
	Page
	// Disconnected is the name of the app that has just been disconnected.
	Disconnected string
	Apps         []AccountApp
	SeenURL      string // what an app would see
	Action, Flow string
}

// AccountApp is one app.
type AccountApp struct {
	ClientID   string
	Name       string
	HomeURL    string // linked if its scheme is harmless
	FirstParty bool   // connected without asking
	Disabled   bool   // switched off by an operator
	Scopes     []ScopeItem
	Offline    bool
	Since      time.Time
	LastUsed   time.Time // zero if it never was, or is not known
	SeenURL    string
}

type accountAppsData struct {
	AccountApps
	List []accountAppLine
}

type accountAppLine struct {
	AccountApp
	Host  string
	Lines []scopeLine
}

// AccountApps writes the page about connected apps.
func (r *Renderer) AccountApps(w http.ResponseWriter, status int, lang Language, p AccountApps) error {
	return r.render(w, status, "account_apps", accountAppsView(lang, p))
}

func accountAppsView(lang Language, p AccountApps) *view {
	data := accountAppsData{AccountApps: p}
	for _, app := range p.Apps {
		line := accountAppLine{AccountApp: app}
		if home, err := url.Parse(app.HomeURL); err == nil {
			line.Host = home.Host
		}
		for _, item := range app.Scopes {
			line.Lines = append(line.Lines, scopeLine{ScopeItem: item, TextKey: scopeTextKey(item)})
		}
		data.List = append(data.List, line)
	}
	return &view{Lang: lang, Page: p.Page, P: data}
}
