package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// textOptions are texts in other languages, as the commands take them.
type textOptions struct {
	Text []string `sep:"none" placeholder:"LANGUAGE:WHAT=TEXT" help:"A text in another language, such as de:name=Notizen; with nothing after = it is taken away; repeatable."`
}

// edit carries the options out on a copy of the texts before.
func (o textOptions) edit(before accounts.Texts) (accounts.Texts, error) {
	after := maps.Clone(before)
	if after == nil {
		after = accounts.Texts{}
	}
	for _, option := range o.Text {
		place, text, ok := strings.Cut(option, "=")
		tag, member, placed := strings.Cut(place, ":")
		if !ok || !placed {
			return nil, fmt.Errorf(`text %q: write the language, what it is, and the text, such as "de:name=Notizen"`, option)
		}
		one := after[tag]
		if !one.Set(member, text) {
			return nil, fmt.Errorf("text %q: there are name, description, policy_uri and terms_uri, not %q", option, member)
		}
		after[tag] = one
		if one == (accounts.Text{}) {
			delete(after, tag)
		}
	}
	return after, nil
}

// textRows are the lines of a table about texts in other languages.
func textRows(texts accounts.Texts) [][]string {
	var rows [][]string
	for _, tag := range slices.Sorted(maps.Keys(texts)) {
		for member, text := range texts[tag].All() {
			rows = append(rows, []string{"in " + tag, member, text})
		}
	}
	return rows
}
