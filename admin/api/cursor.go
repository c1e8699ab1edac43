package api

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

const (
	keyCursor = "admin cursor"
	maxCursor = 2048
)

var errCursor = errors.New("the cursor was made for another list, other filters or somebody else, or is too old; begin without one")

// Paging is what every list takes.
type Paging struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50" doc:"How many to return at most."`
	Cursor string `query:"cursor" maxLength:"2048" doc:"Where to go on: next of the page before, with the same filters."`
}

// List is a page of things.
type List[T any] struct {
	Link string `header:"Link" doc:"The next page (RFC 8288), if there is one."`
	Body ListBody[T]
}

// ListBody is what a page holds. There is no count: that would be read as a whole.
type ListBody[T any] struct {
	Items []T    `json:"items" nullable:"false"`
	Next  string `json:"next,omitempty" doc:"The cursor of the next page; missing on the last."`
}

// after opens the cursor of a list into the position from which to go on; without one
// the position stays as it is. A position is a struct of few exported members.
func (s *surface) after(ctx context.Context, cursor string, position any) error {
	if cursor == "" {
		return nil
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(cursor)
	if err != nil || len(cursor) > maxCursor {
		return errCursor
	}
	plain, err := s.Keyring.Open(keyCursor, sealed, bound(callOf(ctx)))
	if err != nil {
		return errCursor
	}
	if err := json.Unmarshal(plain, position); err != nil {
		return errCursor // of a release that had other positions
	}
	return nil
}

// page answers with one page of a list; next is the position of the one after it, nil
// if there is none.
func page[T any](s *surface, ctx context.Context, items []T, next any) (*List[T], error) {
	if items == nil {
		items = []T{}
	}
	out := &List[T]{Body: ListBody[T]{Items: items}}
	if next == nil {
		return out, nil
	}
	plain, err := json.Marshal(next)
	if err != nil {
		return nil, fmt.Errorf("encode position: %w", err)
	}
	asked := callOf(ctx)
	sealed, err := s.Keyring.Seal(keyCursor, plain, bound(asked))
	if err != nil {
		return nil, fmt.Errorf("seal cursor: %w", err)
	}
	out.Body.Next = base64.RawURLEncoding.EncodeToString(sealed)
	query, _ := url.ParseQuery(asked.query) // made by Encode
	query.Set("cursor", out.Body.Next)
	if asked.limit != "" {
		query.Set("limit", asked.limit)
	}
	link := url.URL{Path: asked.path, RawQuery: query.Encode()}
	out.Link = "<" + link.String() + `>; rel="next"`
	return out, nil
}

// bound is what a cursor is good for: one caller, one list, one set of filters.
func bound(c *call) []byte {
	parts, _ := json.Marshal([]string{c.caller.Actor.Kind, c.caller.Actor.ID, c.caller.ClientID, c.route.ID, c.path, c.query}) // strings alone
	return parts
}

// filters returns the query without paging, in one order. Refused are queries that not
// everybody reads alike, and characters that no database can look for.
func filters(u *url.URL) (query, limit string, err error) {
	if strings.Contains(u.RawQuery, ";") { // once a separator: url.ParseQuery drops what holds one
		return "", "", errSemicolon
	}
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", "", errEscape
	}
	for name, values := range q {
		if len(values) > 1 {
			return "", "", errRepeated
		}
		if !storable(name) || !storable(values[0]) {
			return "", "", errCharacters
		}
	}
	limit = q.Get("limit")
	q.Del("limit")
	q.Del("cursor")
	return q.Encode(), limit, nil
}

// storable reports whether a text can stand in the database at all: PostgreSQL takes
// neither NUL nor what is not UTF-8.
func storable(text string) bool { return utf8.ValidString(text) && !strings.ContainsRune(text, 0) }
