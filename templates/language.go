package templates

import (
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

// maxPreference bounds what is parsed of one language preference, in bytes: the
// values come from strangers, and nobody reads more than a few languages.
const maxPreference = 256

// Language is the language that one page is written in. The zero Language means
// the default, English.
type Language struct {
	tag       language.Tag
	localizer *i18n.Localizer
}

// Tag is the BCP 47 tag, as it stands in the lang attribute.
func (l Language) Tag() string { return l.tag.String() }

// Dir is "rtl" for languages that are written from right to left, else "ltr".
func (l Language) Dir() string {
	script, _ := l.tag.Script()
	switch script.String() {
	case "Arab", "Hebr", "Thaa", "Syrc", "Nkoo", "Adlm", "Rohg":
		return "rtl"
	}
	return "ltr"
}

// Language picks the language for one person. The preferences are looked at in
// order and the first that names a language we have wins; pass ui_locales, the
// account's language, the cookie and the Accept-Language header. Each is a list
// separated by spaces (OpenID Connect Core §3.1.2.1) or in the form of
// Accept-Language; what does not parse is passed over.
func (r *Renderer) Language(preferences ...string) Language {
	for _, preference := range preferences {
		if l, found := r.Match(preference); found {
			return l
		}
	}
	return r.catalog.languages[0]
}

// Match returns the language that one preference leads to, if there is one.
func (r *Renderer) Match(preference string) (Language, bool) {
	tags := parsePreference(preference)
	if len(tags) == 0 {
		return Language{}, false
	}
	_, index, confidence := r.catalog.matcher.Match(tags...)
	if confidence == language.No {
		return Language{}, false
	}
	return r.catalog.languages[index], true
}

// parsePreference reads either form of list. A private or broken tag among good
// ones does not spoil the rest.
func parsePreference(preference string) []language.Tag {
	if len(preference) > maxPreference {
		preference = preference[:maxPreference]
	}
	if strings.ContainsAny(preference, ",;") {
		tags, _, err := language.ParseAcceptLanguage(preference)
		if err != nil {
			return nil
		}
		return tags
	}
	var tags []language.Tag
	for _, field := range strings.Fields(preference) {
		tag, err := language.Parse(field)
		if err == nil {
			tags = append(tags, tag)
		}
	}
	return tags
}

// Languages lists the BCP 47 tags of the languages that pages are written in.
func (r *Renderer) Languages() []string {
	tags := make([]string, len(r.catalog.languages))
	for i, l := range r.catalog.languages {
		tags[i] = l.Tag()
	}
	return tags
}
