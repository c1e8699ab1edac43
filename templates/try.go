package templates

import (
	"fmt"
	"time"
)

// sample is a page filled so that as many branches of its template run as can.
type sample struct {
	name string
	view *view
}

// tryAll executes every page, full and empty, and so finds what parsing cannot:
// an unknown field, an unsafe place for a value, a missing static file.
func (r *Renderer) tryAll() error {
	for _, language := range r.catalog.languages {
		for _, s := range append(samples(language), r.sampleForms(language, samplePage())...) {
			if _, err := r.execute(s.name, s.view); err != nil {
				return err
			}
		}
	}
	for name := range r.pages {
		if !sampled(name) {
			return fmt.Errorf("html/%s.html is not the name of a page", name)
		}
	}
	return nil
}

func sampled(name string) bool {
	if name == "form" {
		return true // by its kinds
	}
	for _, s := range samples(Language{}) {
		if s.name == name {
			return true
		}
	}
	return false
}

func samplePage() Page {
	return Page{RequestID: "4fzyo82mvyr", Theme: ThemeDark, Preferences: Preferences{Action: "/preferences", Return: "/"}}
}

func samples(lang Language) []sample {
	page := samplePage()
	client := ClientInfo{Name: "Example", Host: "app.example.com", HomeURL: "https://app.example.com/", PolicyURL: "https://app.example.com/privacy", TermsURL: "https://app.example.com/terms"}
	show := func(name string, p any) sample {
		return sample{name: name, view: &view{Lang: lang, Page: page, P: p}}
	}
	list := []sample{
		{"sign_in", signInView(lang, SignIn{})},
		{"sign_in", signInView(lang, SignIn{
			Page: page, Client: &client, Username: "ada", Problems: signInProblems(), RetryAfter: time.Minute,
			Action: "/signin", Flow: "f", Reauthenticate: true, SwitchURL: "/switch", Hidden: []Field{{"return", "/account/"}},
			Passkey:   &PasskeyAsk{AskURL: "/signin/passkey", Unknown: "k", RelyingParty: "id.example.com"},
			SignUpURL: "/signup", ResetURL: "/reset", CodeURL: "/signin/code",
		})},
		{"consent", consentView(lang, Consent{})},
		{"consent", consentView(lang, sampleConsent(page, client))},
		show("select_account", SelectAccount{}),
		show("select_account", SelectAccount{Page: page, Client: &client, UserName: "ada", Email: "ada@example.org", Flow: "f", Action: "/select"}),
		show("sign_out", SignOut{}),
		show("sign_out", SignOut{Page: page, UserName: "ada", ClientName: client.Name, Action: "/logout", Fields: []Field{{"state", "s"}}}),
		show("signed_out", SignedOut{}),
		show("signed_out", SignedOut{Page: page, ReturnURL: client.HomeURL, ClientName: client.Name, SignInURL: "/signin"}),
		show("home", Home{SignInURL: "/signin"}),
		show("home", Home{Page: page, SignedIn: true, UserName: "ada", Email: "ada@example.org", IsStaff: true, SignOutURL: "/logout", AccountURL: "/account/", ConsoleURL: "/admin/"}),
		show("form_post", formPostData{}),
		show("form_post", formPostData{
			FormPost: FormPost{Page: page, ClientName: client.Name, Fields: []Field{{"code", "c"}}}, Target: "https://app.example.com/cb",
		}),
	}
	list = append(list, secondFactorSamples(lang, page, &client)...)
	list = append(list, factorSamples(lang, page)...)
	list = append(list, accountSamples(lang, page)...)
	list = append(list, consoleSamples(lang, page)...)
	for _, kind := range errorKinds() {
		list = append(list,
			sample{"error", errorView(lang, Error{Kind: kind})},
			sample{"error", errorView(lang, Error{
				Page: page, Kind: kind, Detail: "d", RetryURL: "/again", BackURL: client.HomeURL, ClientName: client.Name,
			})})
	}
	return list
}

func sampleConsent(page Page, client ClientInfo) Consent {
	item := ScopeItem{Name: "email", Value: "ada@example.org", New: true}
	choice := ScopeItem{Name: "posts:add", Text: "Add posts", Optional: true, Checked: true, Unavailable: true}
	p := Consent{
		Page: page, Client: client, UserName: "ada", SwitchURL: "/switch", Warnings: consentWarnings(),
		Flow: "f", Action: "/consent",
	}
	for _, kind := range scopeGroupKinds() {
		p.Groups = append(p.Groups, ScopeGroup{Kind: kind, API: "Posts", Scopes: []ScopeItem{item, choice}})
	}
	return p
}
