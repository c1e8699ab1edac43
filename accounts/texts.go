package accounts

import (
	"cmp"
	"fmt"
	"iter"
	"maps"
	"slices"

	"golang.org/x/text/language"
)

// How long, in characters, what people read may be.
const (
	maxAPIName               = 100
	maxPermissionDescription = 200
	maxClientName            = 100
)

const (
	maxTextLanguages = 20
	maxLanguageTag   = 35 // bytes (RFC 5646 §4.4.1)
)

// Texts are what an API, a permission or a client is called in other languages
// than that of its own members, by BCP 47 tag. The tags are canonical (RFC 5646
// §4.5) and say no more than language, script and region.
type Texts map[string]Text

// Text is what people read in one language; an empty member has no text of its
// own there. APIs have a name, permissions a description, and clients a name and
// the addresses of their pages (OpenID Connect Dynamic Client Registration §2.1).
type Text struct {
	Name        string `json:"name,omitempty" yaml:"name,omitempty"`
	Description string `json:"description,omitempty" yaml:"description,omitempty"`
	PolicyURI   string `json:"policy_uri,omitempty" yaml:"policy_uri,omitempty"`
	TermsURI    string `json:"terms_uri,omitempty" yaml:"terms_uri,omitempty"`
}

// textMember names one member of a Text.
type textMember struct {
	name string
	of   func(*Text) *string
}

func textMembers() []textMember {
	return []textMember{
		{"name", func(t *Text) *string { return &t.Name }},
		{"description", func(t *Text) *string { return &t.Description }},
		{"policy_uri", func(t *Text) *string { return &t.PolicyURI }},
		{"terms_uri", func(t *Text) *string { return &t.TermsURI }},
	}
}

// Set writes the member of a name ("name", "policy_uri", as in JSON), and reports
// whether there is one.
func (t *Text) Set(name, value string) bool {
	for _, m := range textMembers() {
		if m.name == name {
			*m.of(t) = value
			return true
		}
	}
	return false
}

// All yields the members that are not empty, by their names.
func (t Text) All() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, m := range textMembers() {
			if value := *m.of(&t); value != "" && !yield(m.name, value) {
				return
			}
		}
	}
}

// For returns the texts for a page in the language of tag. Each member is taken
// from the closest language that has it and that readers of tag read as their own;
// it stays empty where there is none, and then the object's own member is shown.
func (t Texts) For(tag string) Text {
	found := t[tag]
	if len(t) == 0 {
		return found
	}
	for _, m := range textMembers() {
		if s := m.of(&found); *s == "" {
			*s = t.closest(tag, m)
		}
	}
	return found
}

func (t Texts) closest(tag string, m textMember) string {
	var texts []string
	var tags []language.Tag
	for _, have := range slices.Sorted(maps.Keys(t)) {
		one := t[have]
		if text := *m.of(&one); text != "" {
			texts, tags = append(texts, text), append(tags, language.Make(have))
		}
	}
	if len(tags) == 0 {
		return ""
	}
	_, index, confidence := language.NewMatcher(tags).Match(language.Make(tag))
	if confidence < language.High {
		return ""
	}
	return texts[index]
}

// NameIn is the name of the API in a language (BCP 47); the audience stands in for
// one that has none.
func (a *API) NameIn(tag string) string { return cmp.Or(a.Texts.For(tag).Name, a.Name, a.Audience) }

// DescriptionIn says in a language (BCP 47) what the permission lets people do.
func (p *Permission) DescriptionIn(tag string) string {
	return cmp.Or(p.Texts.For(tag).Description, p.Description)
}

// NameIn is the name of the client in a language (BCP 47).
func (c *Client) NameIn(tag string) string { return cmp.Or(c.Texts.For(tag).Name, c.Name) }

// NameIn is the name of the app in a language (BCP 47).
func (a *ConnectedApp) NameIn(tag string) string {
	return cmp.Or(a.Texts.For(tag).Name, a.Name, a.ClientID)
}

// AppName is what an app is called.
type AppName struct {
	Name  string
	Texts Texts
}

// In is the name in a language (BCP 47); empty for an app that is gone.
func (n AppName) In(tag string) string { return cmp.Or(n.Texts.For(tag).Name, n.Name) }

// check refuses, with ErrInvalid, tags that are no languages or not canonical, and
// members that the object with the texts does not have; known checks the values of
// those that it has, as those of the object itself.
func (t Texts) check(known map[string]func(value string) error) error {
	if len(t) > maxTextLanguages {
		return invalid("texts: at most %d languages", maxTextLanguages)
	}
	for _, tag := range slices.Sorted(maps.Keys(t)) {
		if err := checkLanguage(tag); err != nil {
			return err
		}
		text := t[tag]
		if text == (Text{}) {
			return invalid("texts: nothing is said in %s", tag)
		}
		for name, value := range text.All() {
			check, ok := known[name]
			if !ok {
				return invalid("texts: %s has a %s, which has no place here", tag, name)
			}
			if err := check(value); err != nil {
				return fmt.Errorf("texts: %s: %w", tag, err)
			}
		}
	}
	return nil
}

// checkLanguage takes one spelling of each language alone, so that nothing is said
// twice and what is read back is what was written.
func checkLanguage(tag string) error {
	if len(tag) > maxLanguageTag {
		return invalid("texts: a language tag has at most %d characters", maxLanguageTag)
	}
	parsed, err := language.Parse(tag)
	if err != nil || parsed.IsRoot() || len(parsed.Variants())+len(parsed.Extensions()) > 0 {
		return invalid("texts: %q is no language such as de, pt-BR or zh-Hant (BCP 47)", tag)
	}
	if parsed.String() != tag {
		return invalid("texts: write the language %q as %q", tag, parsed)
	}
	return nil
}

func checkAPITexts(t Texts) error {
	return t.check(map[string]func(string) error{
		"name": func(s string) error { return label("name", s, maxAPIName) },
	})
}

func checkPermissionTexts(t Texts) error {
	return t.check(map[string]func(string) error{
		"description": func(s string) error { return label("description", s, maxPermissionDescription) },
	})
}

func checkClientTexts(t Texts) error {
	return t.check(map[string]func(string) error{
		"name":       func(s string) error { return label("name", s, maxClientName) },
		"policy_uri": func(s string) error { return checkPage("policy", s) },
		"terms_uri":  func(s string) error { return checkPage("terms", s) },
	})
}
