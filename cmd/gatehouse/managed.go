package main

import (
	"context"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// witness sees what a command changes, so that whoever works at the shell is told
// when a file manages it.
type witness struct {
	accounts.AuditWriter
	seen map[touched]bool
}

// touched is what a change by hand concerns: a member of an object that a file may
// manage, or the object as a whole if there is no one member.
type touched struct {
	kind         accounts.ManagedKind
	name, member string
}

// byFile marks the context of what a file changes.
type byFile struct{}

// watch lets a witness see what the services of a domain record from now on.
func (d *domain) watch() *witness {
	w := &witness{AuditWriter: d.db, seen: map[touched]bool{}}
	d.groups.Audit, d.apis.Audit, d.clients.Audit, d.sets.Audit, d.kept.Audit = w, w, w, w, w
	return w
}

// WriteAudit implements accounts.AuditWriter.
func (w *witness) WriteAudit(ctx context.Context, e audit.Event) error {
	if ctx.Value(byFile{}) == nil {
		w.seen[touchedBy(e)] = true
	}
	return w.AuditWriter.WriteAudit(ctx, e)
}

// touchedBy reads an event as a change of what files can manage.
func touchedBy(e audit.Event) touched {
	t := touched{kind: accounts.ManagedKind(e.TargetKind), name: e.TargetID}
	text := func(name string) string {
		s, _ := e.Details[name].(string)
		return s
	}
	subject, what, _ := strings.Cut(e.Action, ".")
	what, _, _ = strings.Cut(what, ".")
	switch what {
	case "changed": // a setting
		t.member = "value"
	case "member":
		t.member = "members"
	case "manager":
		t.member = "managers"
	case "permission":
		t.member = "permissions"
	case "second_factor":
		t.member = what
	case "child": // the file says of each group what it is inside
		t.name, t.member = text("child"), "parents"
	case "assign", "unassign": // and of each client what it holds
		t.kind, t.name, t.member = accounts.ManagedClient, text("client_id"), "permission_sets"
	case "enable", "disable":
		t.member = "disabled"
	case "secret", "compromised":
		t.member = "secret_from"
	}
	if subject == "group" || subject == "permission_set" && t.kind != accounts.ManagedClient {
		if key, err := accounts.GroupKey(t.name); err == nil {
			t.name = key
		}
	}
	return t
}

// noteManaged tells what of the changes goes against a file.
func (c *call) noteManaged(ctx context.Context, d *domain, w *witness) error {
	if len(w.seen) == 0 {
		return nil
	}
	marks, err := d.db.ListManaged(ctx)
	if err != nil {
		return err
	}
	for _, m := range marks {
		for t := range w.seen {
			if t.kind == m.Kind && t.name == m.Name && (t.member == "" || m.Names(t.member)) {
				c.note("the file %s manages %s %q: write the change into it too, or its next apply stops here", m.Manager, strings.ReplaceAll(string(m.Kind), "_", " "), plain(m.Name))
				break
			}
		}
	}
	return nil
}
