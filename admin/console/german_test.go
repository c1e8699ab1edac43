package console_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
)

// english are words that German sentences do not hold and English ones can hardly do
// without.
var english = regexp.MustCompile(`(?i)\b(the|is|has|have|not|of|that|too|only|cannot|holds|with|and|for|use|there|at most)\b`)

// speaksGerman fails for an English sentence in what the page says about what is wrong,
// unless it is marked as one.
func (s *sheet) speaksGerman() *sheet {
	s.Helper()
	said := false
	var walk func(n *html.Node, told bool)
	walk = func(n *html.Node, told bool) {
		class := attr(n, "class")
		told = told || strings.HasPrefix(class, "notice") || class == "findings" || strings.Contains(class, "problem")
		if n.Type == html.ElementNode && attr(n, "lang") == "en" && n.Data != "html" {
			return
		}
		if n.Type == html.TextNode && told && strings.TrimSpace(n.Data) != "" {
			said = true
			if word := english.FindString(n.Data); word != "" {
				s.Errorf("%q in a German page: %s", word, n.Data)
			}
		}
		for c := n.FirstChild; c != nil; c = c.NextSibling {
			walk(c, told)
		}
	}
	walk(s.root, false)
	if !said {
		s.Errorf("the page says of nothing that it is wrong: %.300s", s.text)
	}
	return s
}

// TestGermanVoice: the German texts say "du".
func TestGermanVoice(t *testing.T) {
	// Behind a full stop or a colon it may be several people, or a thing.
	formal := regexp.MustCompile(`[a-zäöüß,;] (?:Sie|Ihnen|Ihre?[nmrs]?)\b`)
	files, err := filepath.Glob("../../templates/locales/de/*.toml")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if formal.MatchString(line) {
				t.Errorf("%s: %s", filepath.Base(file), line)
			}
		}
	}
}

// TestGermanRefusals: a German page says in German why something was refused. What the
// catalogs have no words for stands behind it, marked as English.
func TestGermanRefusals(t *testing.T) {
	o := newOffice(t, "http://localhost:8400")
	root := o.clerk(o.person(accounts.NewUser{Username: "root", Superuser: true, Staff: true}))
	root.cookies = append(root.cookies, &http.Cookie{Name: o.name(flow.LanguageCookie), Value: "de"})
	ada := o.person(accounts.NewUser{Username: "ada"})
	o.group("Inner")
	o.group("Outer")
	o.must(o.admin.Groups.AddChild(t.Context(), officeActor, "Outer", "Inner"))
	board := o.website("board", "https://board.example.com/back")
	person, api := "users/show?id="+ada.Subject, "apis/show?id="+url.QueryEscape(officeAPI)
	app := func(more url.Values) url.Values {
		for name, value := range map[string]string{"name": "App", "redirect_uris": "https://app.example.com/"} {
			if !more.Has(name) {
				more.Set(name, value)
			}
		}
		return more
	}
	for _, tt := range []struct {
		page, form string
		fill       url.Values
		want       string
	}{
		{"clients/new?kind=web", "", app(url.Values{"redirect_uris": {"http://app.example.com/"}}), "Das geht nicht: http://app.example.com/: http geht nur auf diesem Rechner"},
		{"clients/new?kind=web", "", app(url.Values{"redirect_uris": {"https://*.example.com/"}}), "Platzhalter werden nicht unterstützt"},
		{"clients/new?kind=web", "", app(url.Values{"name": {strings.Repeat("x", 300)}}), "Name: 1 bis"},
		{"clients/new?kind=web", "", app(url.Values{"scopes": {`posts:"add"`}}), "kann kein Scope sein"},
		{"clients/new?kind=web", "", app(url.Values{"backchannel": {"http://app.example.com/"}}), "Back-Channel-Logout: https, oder http auf diesem Rechner"},
		{"clients/show?id=" + url.QueryEscape(board.ClientID), "action=edit", url.Values{"redirect_uris": {""}}, "eine Redirect-URI fehlt"},
		{"users/new", "", url.Values{"username": {"a@b"}}, "in einem Benutzernamen steht kein @"},
		{"users/new", "", url.Values{"username": {"ada"}}, "Dieser Name ist vergeben"},
		{"users/new", "", url.Values{"username": {"eve"}, "email": {"nothing"}}, "nicht eine einfache Mailadresse"},
		{"users/new", "", url.Values{"username": {"eve"}, "password": {"123"}}, "Dieses Passwort ist zu kurz"},
		{person, "action=password", url.Values{"password": {"password"}}, "eines der ersten, die Angreifer probieren"},
		{person, "action=join", url.Values{"group": {"Outer"}, "until": {"2001-01-01"}}, "die Mitgliedschaft wäre schon zu Ende"},
		{person, "action=join", url.Values{"group": {"Outer"}, "until": {"tomorrow"}}, "Bis: schreibe einen Tag als 2026-12-31"},
		{"groups/show?id=Inner", "action=nest", url.Values{"child": {"Outer"}}, "die Gruppen lägen gegenseitig ineinander"},
		{"groups/new", "", url.Values{"name": {" "}}, "ein Name"},
		{"apis/new", "", url.Values{"name": {"Files"}, "audience": {"nothing"}}, "eine Audience ist eine https-URI"},
		{api, "action=permission", url.Values{"name": {"openid"}, "description": {"x"}}, "Recht openid: Der Name ist ein Scope des Protokolls"},
		{api, "action=permission", url.Values{"name": {"posts:x"}, "description": {""}}, "Beschreibung von posts:x: 1 bis"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			in := root.within(t)
			in.post(in.get(tt.page), tt.form, tt.fill).sees(http.StatusOK, tt.want).speaksGerman()
		})
	}
	for _, query := range []string{"audit?since=yesterday", "audit?since=2026-02-02&until=2026-01-01"} {
		root.get(query).sees(http.StatusOK).speaksGerman()
	}
	o.admin.Refusals.Note(board.ID, "http://board.example.com/back")
	o.must(o.admin.Refusals.Flush(t.Context()))
	root.get("clients/show?id="+url.QueryEscape(board.ClientID)).sees(http.StatusOK, "Sie kann nicht hinzugefügt werden: http geht nur auf diesem Rechner")
	page := root.get("settings")
	unknown := root.post(page, "action=sign_up", url.Values{"sign_up": {"domain"}}).sees(http.StatusOK, "etwas daran stimmt nicht (name the domains)").speaksGerman()
	if !strings.Contains(unknown.raw, `<span lang="en">(name the domains)</span>`) {
		t.Errorf("the English detail is not marked: %.2000s", unknown.raw)
	}
}
