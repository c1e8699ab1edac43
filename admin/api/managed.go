package api

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Managed says that a file manages a thing. It may be changed here all the same: then
// `gatehouse diff` shows the difference, and the file is not applied over it unless
// that is asked for.
type Managed struct {
	By     string   `json:"by" doc:"The name that the file gives itself."`
	Fields []string `json:"fields" nullable:"false" doc:"What the file says of the thing, by the file's own names; the rest is for people to choose."`
}

// Marked is the part of a representation that tells of a file.
type Marked struct {
	Managed *Managed `json:"managed,omitempty" doc:"Missing unless a file manages it."`
}

func managedOf(m *accounts.Managed) *Managed {
	if m == nil {
		return nil
	}
	return &Managed{By: m.Manager, Fields: slices.Sorted(maps.Keys(m.Applied))}
}

func (m *Marked) mark(by *Managed) { m.Managed = by }

// markable is a pointer to a representation with Marked in it.
type markable[T any] interface {
	*T
	mark(by *Managed)
}

// partOf parts the tag of a thing from that of its mark. Who changes a thing has seen
// the former: that a file has come to manage it since loses nothing of theirs.
const partOf = "."

// oneMarked is one for a thing that a file may manage.
func oneMarked[T any, P markable[T]](ctx context.Context, s *surface, seen Seen, kind accounts.ManagedKind, object id.ID, v T) (*One[T], error) {
	marks, err := s.Admin.MarksOf(ctx, kind, object)
	if err != nil {
		return nil, err
	}
	tag := tagOf(v)
	if by := managedOf(marks[object]); by != nil {
		P(&v).mark(by)
		tag = strings.TrimSuffix(tag, `"`) + partOf + strings.TrimPrefix(tagOf(by), `"`)
	}
	if err := seen.unchanged(tag); err != nil {
		return nil, err
	}
	return &One[T]{ETag: tag, Body: v}, nil
}

// markAll marks the items of a list; object is the id of each.
func markAll[T any, P markable[T]](ctx context.Context, s *surface, kind accounts.ManagedKind, items []T, object func(i int) id.ID) error {
	objects := make([]id.ID, len(items))
	for i := range objects {
		objects[i] = object(i)
	}
	marks, err := s.Admin.MarksOf(ctx, kind, objects...)
	if err != nil {
		return err
	}
	for i := range items {
		P(&items[i]).mark(managedOf(marks[objects[i]]))
	}
	return nil
}
