package templates_test

import (
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/templates"
)

func accountPage(page templates.Page, active string) templates.Page {
	page.Account = &templates.AccountNav{Active: active, Base: "/account/"}
	return page
}

// accountFixtures are the pages of somebody's account.
func accountFixtures() []fixture {
	return []fixture{
		{"account_overview", func(r *templates.Renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			return r.AccountOverview(w, http.StatusOK, lang, templates.AccountOverview{
				Page: accountPage(page, "overview"), Name: "Ada Lovelace", Username: "ada", Email: "ada@example.org", EmailVerified: true,
				Sessions: 2, Apps: 1, PictureURL: "/pictures/Zm9vYmFyYmF6cXV4Zm9vYg", PictureEditURL: "/account/picture",
				EmailURL: "/account/email", PasswordURL: "/account/password", SignOutURL: "/logout",
			})
		}},
		{"account_security", func(r *templates.Renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			p := fullSecurity()
			p.Page = accountPage(page, "security")
			return r.AccountSecurity(w, http.StatusOK, lang, p)
		}},
		{"account_apps", func(r *templates.Renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			p := fullApps()
			p.Page = accountPage(page, "apps")
			return r.AccountApps(w, http.StatusOK, lang, p)
		}},
		{"account_apps_empty", func(r *templates.Renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			return r.AccountApps(w, http.StatusOK, lang, templates.AccountApps{Page: accountPage(page, "apps"), Disconnected: "Post Board", SeenURL: "/account/seen"})
		}},
		{"account_seen", func(r *templates.Renderer, w http.ResponseWriter, lang templates.Language, page templates.Page) error {
			p := fullSeen()
			p.Page = accountPage(page, "apps")
			return r.AccountSeen(w, http.StatusOK, lang, p)
		}},
	}
}

func moment() time.Time { return time.Date(2026, 11, 22, 18, 30, 0, 0, time.FixedZone("CET", 3600)) }

func fullSecurity() templates.AccountSecurity {
	firefox := templates.DeviceName{Browser: "Firefox", System: "Linux"}
	safari := templates.DeviceName{Browser: "Safari", System: "iPhone"}
	at := moment()
	event := func(kind templates.EventKind, hours int, device *templates.DeviceName, report string) templates.AccountEvent {
		return templates.AccountEvent{
			Kind: kind, App: "Post Board", At: at.Add(-time.Duration(hours) * time.Hour), Device: device, Address: "192.0.2.17", ReportURL: report,
		}
	}
	refused := event(templates.EventSignInRefused, 30, nil, "")
	refused.ByOther = false
	given := event(templates.EventRightsGiven, 50, nil, "")
	given.ByOther, given.Address = true, ""
	return templates.AccountSecurity{
		Notice: templates.SecurityEnded, PasswordURL: "/account/password", EmailURL: "/account/email", FactorsURL: "/account/factors",
		Action: "/account/security", Flow: ".AZr3", OlderURL: "/account/security?before=AZ9tq9sAcABZ7QEmZ1GZ3Q",
		Sessions: []templates.AccountSession{
			{ID: "AZ9tq9sAcABZ7QEmZ1GZ3Q", Device: firefox, Address: "192.0.2.17", FirstSeen: at.Add(-time.Hour), LastSeen: at, Methods: []templates.SignInMethod{templates.MethodPassword}, Here: true},
			{ID: "AZ9tq9sAcABZ7QEmZ1GZ3R", Device: safari, Address: "2001:db8::7", FirstSeen: at.Add(-100 * time.Hour), LastSeen: at.Add(-time.Hour), Methods: []templates.SignInMethod{templates.MethodPassword, templates.MethodCode}},
			{ID: "AZ9tq9sAcABZ7QEmZ1GZ3S", FirstSeen: at.Add(-200 * time.Hour), LastSeen: at.Add(-3 * time.Hour), Methods: []templates.SignInMethod{templates.MethodPasskey}},
		},
		Events: []templates.AccountEvent{
			event(templates.EventSignIn, 1, &firefox, "/account/report?event=AZ9tq9sAcABZ7QEmZ1GZ3Q"),
			event(templates.EventAppAllowed, 20, nil, "/account/report?event=AZ9tq9sAcABZ7QEmZ1GZ3R"),
			refused, given, event(templates.EventPasswordChanged, 60, &safari, "/account/report?event=AZ9tq9sAcABZ7QEmZ1GZ3S"),
		},
	}
}

func fullApps() templates.AccountApps {
	at := moment()
	return templates.AccountApps{
		Action: "/account/apps", Flow: ".AZr3", SeenURL: "/account/seen",
		Apps: []templates.AccountApp{
			{
				ClientID: "board", Name: "Post Board", HomeURL: "https://board.example.com/", Offline: true, Since: at.Add(-1000 * time.Hour), LastUsed: at,
				Scopes:  []templates.ScopeItem{{Name: "openid"}, {Name: "email"}, {Name: "posts:add", Text: "Write posts in your name"}, {Name: "posts:gone"}},
				SeenURL: "/account/seen?client=board",
			},
			{ClientID: "wiki", Name: "Our Wiki", FirstParty: true, Since: at.Add(-2 * time.Hour), SeenURL: "/account/seen?client=wiki"},
			{ClientID: "old", Name: "Old Tool", Disabled: true, Since: at.Add(-9000 * time.Hour)},
		},
	}
}

func fullSeen() templates.AccountSeen {
	return templates.AccountSeen{
		Action: "/account/seen", Clients: []templates.Choice{{Value: "board", Text: "Post Board"}},
		Scopes: []templates.SeenScope{{Name: "profile", Checked: true}, {Name: "email", Checked: true}, {Name: "phone"}, {Name: "address"}, {Name: "groups"}},
		Claims: []templates.SeenClaim{
			{Name: "sub", Text: "8lzQvNpyR6CYX1OeM3Y2vA"}, {Name: "name", Text: "Ada Lovelace"}, {Name: "email", Text: "ada@example.org"},
			{Name: "email_verified", IsBool: true, Yes: true}, {Name: "address", Lines: []string{"12 St James's Square", "London"}},
			{Name: "updated_at", At: moment()}, {Name: "department", Text: "Engines"},
		},
	}
}
