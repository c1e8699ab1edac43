package api

import (
	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
)

// One answers with one thing and the tag of its state.
type One[T any] struct {
	ETag string `header:"ETag" doc:"Names the state: for If-Match and If-None-Match."`
	Body T
}

// one answers with a thing, or with 304 to who has it in this state.
func one[T any](seen Seen, v T) (*One[T], error) {
	tag := tagOf(v)
	if err := seen.unchanged(tag); err != nil {
		return nil, err
	}
	return &One[T]{ETag: tag, Body: v}, nil
}

// cut returns a page of what was read, one more than a page, and whether another page
// follows.
func cut[T any](read []T, limit int) (items []T, more bool) {
	if len(read) > limit {
		return read[:limit], true
	}
	return read, false
}

// filled is a list that is never null in JSON.
func filled[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// Texts are what a thing is called in other languages.
type Texts map[string]Text

// Text is what people read in one language.
type Text struct {
	Name        string `json:"name,omitempty" maxLength:"200"`
	Description string `json:"description,omitempty" maxLength:"500"`
	PolicyURI   string `json:"policy_uri,omitempty" maxLength:"2048"`
	TermsURI    string `json:"terms_uri,omitempty" maxLength:"2048"`
}

func textsOf(texts accounts.Texts) Texts {
	if len(texts) == 0 {
		return nil
	}
	out := make(Texts, len(texts))
	for tag, t := range texts {
		out[tag] = Text(t)
	}
	return out
}

// texts is never nil: an empty map takes all away.
func (t Texts) texts() accounts.Texts {
	out := make(accounts.Texts, len(t))
	for tag, text := range t {
		out[tag] = accounts.Text(text)
	}
	return out
}

// unless returns the error about a state that is not the one that was seen.
func (m Match) unless(tag string) error {
	if !m.holds(tag) {
		return admin.ErrChanged
	}
	return nil
}
