package admin

import (
	"context"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// MarkReader reads which objects files manage.
type MarkReader interface {
	// ManagedObjects returns the marks of those of the objects that have one.
	ManagedObjects(ctx context.Context, objects ...id.ID) (map[id.ID]accounts.Managed, error)
}

// Mark returns the mark of an object that a file manages, nil for one that people
// do. Whoever may read the object, an API, a group or a client, may read its mark.
// Errors: *Forbidden.
func (a *Admin) Mark(ctx context.Context, c *Caller, kind accounts.ManagedKind, object id.ID) (*accounts.Managed, error) {
	need := map[accounts.ManagedKind]string{
		accounts.ManagedAPI: accounts.AdminAPIsRead, accounts.ManagedGroup: accounts.AdminGroupsRead,
	}[kind]
	if need == "" {
		need = accounts.AdminClientsRead
	}
	if err := c.need(need); err != nil {
		return nil, err
	}
	marks, err := a.MarksOf(ctx, kind, object)
	return marks[object], err
}

// MarksOf returns the marks of those of the objects that have one: of objects which
// the caller has been let see or change, as part of what they are.
func (a *Admin) MarksOf(ctx context.Context, kind accounts.ManagedKind, objects ...id.ID) (map[id.ID]*accounts.Managed, error) {
	if len(objects) == 0 {
		return nil, nil
	}
	found, err := a.Marks.ManagedObjects(ctx, objects...)
	if err != nil {
		return nil, fmt.Errorf("marks of objects: %w", err)
	}
	marks := make(map[id.ID]*accounts.Managed, len(found))
	for object, m := range found {
		if m.Kind == kind {
			marks[object] = &m
		}
	}
	return marks, nil
}
