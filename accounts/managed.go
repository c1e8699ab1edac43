package accounts

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// ManagedKind is a kind of objects that a file can manage.
type ManagedKind string

// The kinds of managed objects, each with what its objects are named by.
const (
	ManagedAPI           ManagedKind = "api"            // by audience
	ManagedGroup         ManagedKind = "group"          // by GroupKey
	ManagedPermissionSet ManagedKind = "permission_set" // by GroupKey
	ManagedClient        ManagedKind = "client"         // by client_id
	ManagedSetting       ManagedKind = "setting"        // by its own
)

// Managed is the mark of an object that a file manages. It outlives its object, so
// that who applies the file again learns that somebody removed it.
type Managed struct {
	Kind   ManagedKind
	Name   string
	Object id.ID
	// Manager is the name that the file gives itself.
	Manager string
	// Applied are the members that the file names and what it last set them to,
	// in the form of JSON.
	Applied   map[string]any
	AppliedAt int64 // Unix milliseconds
}

// Names reports whether the file says what a member of the object is: who changes
// it by hand goes against the file.
func (m *Managed) Names(member string) bool {
	_, ok := m.Applied[member]
	return ok
}

// ManagedStore keeps the marks.
type ManagedStore interface {
	// LockManaged lets one transaction at a time apply a file.
	LockManaged(ctx context.Context) error
	// ListManaged returns all marks.
	ListManaged(ctx context.Context) ([]Managed, error)
	// ManagedObjects returns the marks of those of the objects that have one.
	ManagedObjects(ctx context.Context, objects ...id.ID) (map[id.ID]Managed, error)
	PutManaged(ctx context.Context, m *Managed) error
	DropManaged(ctx context.Context, kind ManagedKind, name string) error // ErrNotFound
}

// Marks puts marks on what files manage and takes them off.
type Marks struct {
	Journal
	Store ManagedStore
}

// ErrManaged is matched by the refusal to let a file manage what another one does.
var ErrManaged = errors.New("managed by another file")

// Claim marks an object, or notes what its file has set now. before is its mark so
// far, or nil, also that of an object in the place of which it was made. An event is
// written only if the manager or the object is another one than before.
// Errors: ErrInvalid, ErrManaged unless takeOver is true.
func (s *Marks) Claim(ctx context.Context, actor audit.Actor, before *Managed, m Managed, takeOver bool) error {
	if err := ValidateManager(m.Manager); err != nil {
		return err
	}
	other := before != nil && before.Manager != m.Manager
	if other && !takeOver {
		return fmt.Errorf("%w: %q", ErrManaged, before.Manager)
	}
	again := before != nil && !other && before.Object == m.Object
	if again && sameJSON(before.Applied, m.Applied) {
		return nil
	}
	return s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		m.AppliedAt = now
		if err := s.Store.PutManaged(ctx, &m); err != nil {
			return nil, fmt.Errorf("mark %s %q: %w", m.Kind, m.Name, err)
		}
		if again {
			return nil, nil
		}
		e := &effect{action: "managed.claim", kind: string(m.Kind), target: m.Name, after: map[string]any{"manager": m.Manager}}
		if other {
			e.before = map[string]any{"manager": before.Manager}
		}
		return e, nil
	})
}

// sameJSON compares what one side read from storage and the other has in types of
// its own.
func sameJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}

// Release takes the mark off an object, which stays as it is. Errors: ErrNotFound.
func (s *Marks) Release(ctx context.Context, actor audit.Actor, m *Managed) error {
	return s.record(ctx, actor, func(ctx context.Context, _ int64) (*effect, error) {
		if err := s.Store.DropManaged(ctx, m.Kind, m.Name); err != nil {
			return nil, fmt.Errorf("release %s %q: %w", m.Kind, m.Name, err)
		}
		return &effect{
			action: "managed.release", kind: string(m.Kind), target: m.Name, before: map[string]any{"manager": m.Manager},
		}, nil
	})
}

// ValidateManager checks the name that a file gives itself: 1 to 64 letters, digits,
// dots, dashes and underscores. Errors: ErrInvalid.
func ValidateManager(name string) error {
	if name == "" || len(name) > 64 {
		return invalid("manager: 1 to 64 letters, digits, dots, dashes and underscores")
	}
	for _, r := range name {
		if (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '.' && r != '-' && r != '_' {
			return invalid("manager %q: 1 to 64 letters, digits, dots, dashes and underscores", name)
		}
	}
	return nil
}
