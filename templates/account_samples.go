package templates

import "time"

// accountKeys are the messages of the pages of an account that only code names.
func accountKeys() []string {
	keys := []string{"security.moment", "security.device", "security.unknown_device"}
	for _, n := range securityNotices() {
		keys = append(keys, "security.notice."+string(n))
	}
	for _, m := range signInMethods() {
		keys = append(keys, "security.method."+string(m))
	}
	for _, k := range eventKinds() {
		keys = append(keys, "security.event."+string(k))
	}
	for _, c := range knownClaims() {
		keys = append(keys, "data.claim."+c)
	}
	return keys
}

func accountSamples(lang Language, page Page) []sample {
	page.Account = &AccountNav{Active: "security", Base: "/account/"}
	at := time.Unix(1_790_000_000, 0).UTC()
	device := DeviceName{Browser: "Firefox", System: "Linux"}
	security := AccountSecurity{
		Page: page, OlderURL: "/account/security?before=a", FirstURL: "/account/security", PasswordURL: "/account/password",
		EmailURL: "/account/email", FactorsURL: "/account/factors", Action: "/account/security", Flow: "f",
		Sessions: []AccountSession{
			{ID: "a", Device: device, Address: "192.0.2.1", FirstSeen: at, LastSeen: at, Methods: signInMethods(), Here: true},
			{ID: "b", Device: DeviceName{Browser: "Safari"}, FirstSeen: at, LastSeen: at},
			{ID: "c", Device: DeviceName{System: "Android"}}, {ID: "d"},
		},
	}
	for i, kind := range eventKinds() {
		e := AccountEvent{Kind: kind, Name: "user.new", App: "Post Board", At: at, Address: "192.0.2.1", ByOther: i%2 == 0}
		if i%2 == 0 {
			e.Device, e.ReportURL = &device, "/account/report?event=a"
		}
		security.Events = append(security.Events, e)
	}
	apps := AccountApps{
		Page: page, Disconnected: "Old Board", SeenURL: "/account/seen", Action: "/account/apps", Flow: "f",
		Apps: []AccountApp{
			{
				ClientID: "board", Name: "Post Board", HomeURL: "https://board.example.com/", Offline: true, Since: at, LastUsed: at,
				Scopes: []ScopeItem{{Name: "email"}, {Name: "posts:add", Text: "Write posts"}, {Name: "x"}}, SeenURL: "/account/seen?client=board",
			},
			{ClientID: "own", Name: "Own", FirstParty: true, Disabled: true, Since: at},
		},
	}
	seen := AccountSeen{
		Page: page, Clients: []Choice{{Value: "board", Text: "Post Board"}}, Scopes: []SeenScope{{"email", true}, {"profile", false}},
		Action: "/account/seen", Claims: []SeenClaim{
			{Name: "sub", Text: "8lzQ"}, {Name: "email_verified", IsBool: true, Yes: true}, {Name: "phone_number_verified", IsBool: true},
			{Name: "groups", Lines: []string{"Editors", "Staff"}}, {Name: "updated_at", At: at}, {Name: "department", Text: "Ops"},
		},
	}
	full := AccountOverview{
		Page: page, Name: "Ada", Username: "ada", Email: "ada@example.org", PictureURL: "/pictures/AAAAAAAAAAAAAAAAAAAAAA", Sessions: 2, Apps: 1,
		HasFactor: true, Staff: true, PictureEditURL: "/account/picture", EmailURL: "/account/email", PasswordURL: "/account/password", ConsoleURL: "/admin/", SignOutURL: "/logout",
	}
	show := func(name string, page Page, p any) sample {
		return sample{name: name, view: &view{Lang: lang, Page: page, P: p}}
	}
	list := []sample{
		show("account_overview", Page{}, AccountOverview{}), show("account_overview", page, full),
		show("account_security", Page{}, AccountSecurity{}), show("account_security", page, AccountSecurity{EventsOnly: true}),
		{"account_apps", accountAppsView(lang, AccountApps{})}, {"account_apps", accountAppsView(lang, apps)},
		{"account_seen", accountSeenView(lang, AccountSeen{})}, {"account_seen", accountSeenView(lang, seen)},
	}
	for _, n := range securityNotices() {
		security.Notice = n
		list = append(list, show("account_security", page, security))
	}
	return list
}
