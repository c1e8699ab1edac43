package auditlog

import (
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// maxConcerns bounds what one event is found by; whoever has more to name writes
// several events.
const maxConcerns = 1000

// concerning are the names of details that tell whom and what an event concerns
// besides its target: subs of people, ids of apps, names of groups. The session that a
// sign-in begins is none: sign-ins are too many to have a row more each.
func concerning() []string {
	return []string{
		"sub", "subs", "staff_subs", "superuser_subs", "invited_by", "client_id", "clients", "groups", "child", "children", "parents",
	}
}

// concerns are the ids by which a search finds an event besides its actor, its target
// and its request, each once; nil for most events.
func concerns(e audit.Event, from audit.Origin) []string {
	var ids []string
	add := func(one string) {
		if one != "" && one != e.Actor.ID && one != e.TargetID && one != from.RequestID && len(ids) < maxConcerns {
			ids = append(ids, one)
		}
	}
	add(from.Client)
	if len(e.Details) > 0 {
		for _, name := range concerning() {
			switch v := e.Details[name].(type) {
			case string:
				add(v)
			case []string:
				for _, one := range v {
					add(one)
				}
			}
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
