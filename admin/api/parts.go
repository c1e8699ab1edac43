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

// Created answers with what was made, where it is now, and the tag of its state there (RFC
// 9110 §15.3.2), whatever else the answer says.
type Created[T any] struct {
	Location string `header:"Location" doc:"Where it is."`
	ETag     string `header:"ETag" doc:"Names the state of what is there: for If-Match and If-None-Match."`
	Body     T
}

// created answers with a body about something that was made; state is its
// representation, in a collection by its name.
func created[T any](s *surface, collection, name string, state any, body T) *Created[T] {
	return &Created[T]{Location: s.base + collection + "/" + segment(name), ETag: tagOf(state), Body: body}
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
