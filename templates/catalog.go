package templates

import (
	"fmt"
	"io/fs"
	"path"

	"github.com/BurntSushi/toml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

// catalog holds the messages of all languages. It does not change after New.
type catalog struct {
	languages []Language // the default first
	matcher   language.Matcher
	keys      map[string]bool // of the default language
}

// loadCatalog reads locales/<tag>/*.toml: ours first, then the override's, whose
// messages replace ours one by one so that a new release never lacks a text.
func loadCatalog(f files) (*catalog, error) {
	bundle := i18n.NewBundle(language.English)
	bundle.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	c := &catalog{keys: map[string]bool{}}
	sources := []fs.FS{embedded}
	if f.override != nil {
		sources = append(sources, f.override)
	}
	for _, source := range sources {
		if err := c.load(bundle, source); err != nil {
			return nil, err
		}
	}
	for _, tag := range bundle.LanguageTags() {
		localizer := i18n.NewLocalizer(bundle, tag.String())
		c.languages = append(c.languages, Language{tag: tag, localizer: localizer})
	}
	c.matcher = language.NewMatcher(bundle.LanguageTags())
	return c, nil
}

func (c *catalog) load(bundle *i18n.Bundle, source fs.FS) error {
	names, err := fs.Glob(source, "locales/*/*.toml")
	if err != nil {
		return fmt.Errorf("list catalogs: %w", err)
	}
	for _, name := range names {
		if hidden(name) {
			continue
		}
		data, err := fs.ReadFile(source, name)
		if err != nil {
			return fmt.Errorf("read catalog: %w", err)
		}
		tag, err := tagOf(name)
		if err != nil {
			return err
		}
		file, err := bundle.ParseMessageFileBytes(data, "active."+tag.String()+".toml")
		if err != nil {
			return fmt.Errorf("read catalog %s: %w", name, err)
		}
		if file.Tag != language.English {
			continue
		}
		for _, message := range file.Messages {
			c.keys[message.ID] = true
		}
	}
	return nil
}

// tagOf returns the language of a file, which its folder names.
func tagOf(name string) (language.Tag, error) {
	folder := path.Base(path.Dir(name))
	tag, err := language.Parse(folder)
	if err != nil {
		return tag, fmt.Errorf("catalog %s: %q is not a language tag: %w", name, folder, err)
	}
	return tag, nil
}

// message writes one text. With a "Count" among the data, the plural form is
// chosen by it.
func (l Language) message(key string, data map[string]any) (string, error) {
	text, err := l.localizer.Localize(&i18n.LocalizeConfig{
		MessageID:    key,
		TemplateData: data,
		PluralCount:  data["Count"],
	})
	// A language that lacks a message gets the English one together with an
	// error; that is a translator's business, not the reader's.
	if text == "" && err != nil {
		return "", fmt.Errorf("message %q: %w", key, err)
	}
	return text, nil
}
