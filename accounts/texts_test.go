package accounts_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
)

func TestTexts_For(t *testing.T) {
	texts := accounts.Texts{
		"de":      {Name: "Notizen", PolicyURI: "https://a.example/de"},
		"de-AT":   {TermsURI: "https://a.example/at"},
		"pt-BR":   {Name: "Notas"},
		"ru":      {Name: "Заметки"},
		"zh-Hant": {Name: "筆記"},
	}
	german := accounts.Text{Name: "Notizen", PolicyURI: "https://a.example/de", TermsURI: "https://a.example/at"}
	for tag, want := range map[string]accounts.Text{
		"de":         german,
		"de-AT":      german, // each member from the closest language that has it
		"de-CH":      german,
		"DE":         german,
		"pt":         {Name: "Notas"},
		"pt-PT":      {Name: "Notas"},
		"zh-TW":      {Name: "筆記"},
		"zh":         {}, // simplified, which is another script
		"uk":         {}, // Russian is not their own, even if many read it
		"en":         {},
		"fr-CA":      {},
		"und":        {},
		"":           {},
		"no such \n": {},
	} {
		if diff := cmp.Diff(want, texts.For(tag)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", tag, diff)
		}
	}
	if got := (accounts.Texts)(nil).For("de"); got != (accounts.Text{}) {
		t.Errorf("of nothing: %+v", got)
	}
	c := accounts.Client{Name: "Notes", Texts: texts}
	a := accounts.API{Audience: "https://a.example", Texts: accounts.Texts{"de": {Name: "Schnittstelle"}}}
	p := accounts.Permission{Description: "Can write", Texts: accounts.Texts{"de": {Description: "Kann schreiben"}}}
	got := []string{c.NameIn("de-AT"), c.NameIn("en"), a.NameIn("de"), a.NameIn("en"), p.DescriptionIn("de"), p.DescriptionIn("fr")}
	if diff := cmp.Diff([]string{"Notizen", "Notes", "Schnittstelle", "https://a.example", "Kann schreiben", "Can write"}, got); diff != "" {
		t.Error(diff)
	}
}

// The three places take the texts that they know, under the rules of their own
// members, and nothing else.
func TestTexts_Refused(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	register := func(texts accounts.Texts) error {
		r := webApp()
		r.Texts = texts
		_, _, err := s.clients.Register(ctx, operator(), r)
		return err
	}
	api := func(texts accounts.Texts) error {
		_, err := s.apis.Update(ctx, operator(), postsAPI, accounts.APISettings{Texts: texts})
		return err
	}
	permission := func(texts accounts.Texts) error {
		n := accounts.NewPermission{Name: "posts:add", Description: "Can add post", Texts: texts}
		return s.apis.DescribePermission(ctx, operator(), postsAPI, n)
	}
	many := accounts.Texts{}
	for i := range 21 {
		many[fmt.Sprintf("de-%03d", i+1)] = accounts.Text{Name: "N"}
	}
	named := func(tag string) accounts.Texts { return accounts.Texts{tag: {Name: "N"}} }
	for what, tt := range map[string]struct {
		to    func(accounts.Texts) error
		texts accounts.Texts
		says  string
	}{
		"no tag":               {api, named(""), "no language"},
		"no language":          {api, named("xx-yy-zz"), "no language"},
		"root":                 {api, named("und"), "no language"},
		"private":              {api, named("x-ours"), "no language"},
		"extension":            {api, named("de-u-co-phonebk"), "no language"},
		"variant":              {api, named("de-1996"), "no language"},
		"capitals":             {api, named("DE"), `write the language "DE" as "de"`},
		"underscore":           {api, named("pt_BR"), `as "pt-BR"`},
		"retired":              {api, named("iw"), `as "he"`},
		"long tag":             {api, named("de-" + strings.Repeat("a", 40)), "at most 35"},
		"too many":             {api, many, "at most 20 languages"},
		"nothing said":         {api, accounts.Texts{"de": {}}, "nothing is said"},
		"long name":            {api, accounts.Texts{"de": {Name: strings.Repeat("ä", 101)}}, "1 to 100"},
		"blank name":           {api, accounts.Texts{"de": {Name: " "}}, "1 to 100"},
		"turned text":          {api, accounts.Texts{"de": {Name: "N\u202eXE"}}, "U+202E"},
		"not UTF-8":            {api, accounts.Texts{"de": {Name: "N\xff"}}, "UTF-8"},
		"description of API":   {api, accounts.Texts{"de": {Description: "x"}}, "has a description"},
		"page of API":          {api, accounts.Texts{"de": {PolicyURI: "https://a.example"}}, "has a policy_uri"},
		"name of permission":   {permission, named("de"), "has a name"},
		"long description":     {permission, accounts.Texts{"de": {Description: strings.Repeat("ä", 201)}}, "1 to 200"},
		"description of app":   {register, accounts.Texts{"de": {Description: "x"}}, "has a description"},
		"hidden name of app":   {register, accounts.Texts{"de": {Name: "A\u200bB"}}, "U+200B"},
		"script as policy":     {register, accounts.Texts{"de": {PolicyURI: "javascript:alert(1)"}}, "policy URI"},
		"terms without TLS":    {register, accounts.Texts{"de": {TermsURI: "http://a.example/agb"}}, "terms URI: https"},
		"terms of app, no URI": {register, accounts.Texts{"de": {TermsURI: "a b"}}, "terms URI"},
	} {
		if err := tt.to(tt.texts); !errors.Is(err, accounts.ErrInvalid) || !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v; want %q", what, err, tt.says)
		}
	}
	if _, _, _, err := s.apis.Create(ctx, operator(), accounts.NewAPI{Audience: "https://new.example", Name: "New", Texts: named("DE")}); !errors.Is(err, accounts.ErrInvalid) {
		t.Errorf("new API: %v", err)
	}
	n := accounts.NewPermission{Name: "posts:new", Description: "New", Texts: named("de")}
	if err := s.apis.AddPermission(ctx, operator(), postsAPI, n); !errors.Is(err, accounts.ErrInvalid) {
		t.Errorf("new permission: %v", err)
	}
	a, err := s.apis.Find(ctx, postsAPI)
	s.must(err)
	if a.Texts != nil || a.Permissions[0].Texts != nil {
		t.Errorf("after refusals: %+v", a)
	}
}

// A text is changed like any other setting: in the audit log, once, and without a
// row in the ledger, for no token depends on it.
func TestTexts_Changed(t *testing.T) {
	s := newStage(t)
	ctx := t.Context()
	german := accounts.Texts{"de": {Name: "Beiträge"}}
	says := accounts.Texts{"de": {Description: "Darf Beiträge schreiben"}}
	r := webApp()
	r.Texts = accounts.Texts{"de": {Name: "Anwendung", PolicyURI: "https://app.example/de"}}
	c, _, err := s.clients.Register(ctx, operator(), r)
	s.must(err)
	before := s.position()
	describe := func(texts accounts.Texts) error {
		return s.apis.DescribePermission(ctx, operator(), postsAPI, accounts.NewPermission{Name: "posts:add", Description: "Can add post", Texts: texts})
	}
	update := func(texts accounts.Texts) error {
		return s.clients.Update(ctx, operator(), c.ClientID, func(c *accounts.Client) error { c.Texts = texts; return nil })
	}
	settings := func(texts accounts.Texts) error {
		_, err := s.apis.Update(ctx, operator(), postsAPI, accounts.APISettings{Texts: texts})
		return err
	}
	s.must(describe(nil)) // the fixture's own words
	events := len(s.events(1000))
	for range 2 { // the second time nothing is new
		s.must(settings(german))
		s.must(describe(says))
		s.must(describe(nil))
		s.must(update(accounts.Texts{"fr": {Name: "Application"}}))
	}
	if n := len(s.events(1000)) - events; n != 3 {
		t.Errorf("%d events, want one for each of three changes", n)
	}
	a, err := s.apis.Find(ctx, postsAPI)
	s.must(err)
	found, _, err := s.db.ClientByID(ctx, c.ClientID, s.now().UnixMilli())
	s.must(err)
	if diff := cmp.Diff([]accounts.Texts{german, says, {"fr": {Name: "Application"}}}, []accounts.Texts{a.Texts, a.Permissions[0].Texts, found.Texts}); diff != "" {
		t.Errorf("texts (-want +got):\n%s", diff)
	}
	s.must(settings(accounts.Texts{}))
	s.must(describe(accounts.Texts{}))
	s.must(update(nil))
	a, err = s.apis.Find(ctx, postsAPI)
	s.must(err)
	found, _, err = s.db.ClientByID(ctx, c.ClientID, s.now().UnixMilli())
	s.must(err)
	if a.Texts != nil || a.Permissions[0].Texts != nil || found.Texts != nil {
		t.Errorf("texts that were taken away: %v, %v, %v", a.Texts, a.Permissions[0].Texts, found.Texts)
	}
	if s.position() != before {
		t.Errorf("rows in the ledger: %v", s.rows(before))
	}
}
