package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// TestTouchedBy: an event is read as the member that a file would name.
func TestTouchedBy(t *testing.T) {
	for action, tt := range map[string]struct {
		kind, target string
		details      map[string]any
		want         touched
	}{
		"group.update":                     {"group", "Editors", nil, touched{accounts.ManagedGroup, "editors", ""}},
		"group.member.add":                 {"group", "Editors", nil, touched{accounts.ManagedGroup, "editors", "members"}},
		"group.manager.remove":             {"group", "Editors", nil, touched{accounts.ManagedGroup, "editors", "managers"}},
		"group.permission.revoke":          {"group", "Editors", nil, touched{accounts.ManagedGroup, "editors", "permissions"}},
		"group.second_factor":              {"group", "Editors", nil, touched{accounts.ManagedGroup, "editors", "second_factor"}},
		"group.child.add":                  {"group", "Staff", map[string]any{"child": "Editors"}, touched{accounts.ManagedGroup, "editors", "parents"}},
		"permission_set.permission.revoke": {"permission_set", "Robots", nil, touched{accounts.ManagedPermissionSet, "robots", "permissions"}},
		"permission_set.unassign":          {"permission_set", "Robots", map[string]any{"client_id": "Board"}, touched{accounts.ManagedClient, "Board", "permission_sets"}},
		"api.permission.delete":            {"api", "https://A.example", nil, touched{accounts.ManagedAPI, "https://A.example", "permissions"}},
		"api.disable":                      {"api", "https://A.example", nil, touched{accounts.ManagedAPI, "https://A.example", "disabled"}},
		"client.update":                    {"client", "Board", nil, touched{accounts.ManagedClient, "Board", ""}},
		"client.delete":                    {"client", "Board", nil, touched{accounts.ManagedClient, "Board", ""}},
		"client.secret.rotate":             {"client", "Board", nil, touched{accounts.ManagedClient, "Board", "secret_from"}},
		"client.compromised":               {"client", "Board", nil, touched{accounts.ManagedClient, "Board", "secret_from"}},
		"user.update":                      {"user", "x", nil, touched{"user", "x", ""}},
	} {
		got := touchedBy(audit.Event{Action: action, TargetKind: tt.kind, TargetID: tt.target, Details: tt.details})
		if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(touched{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", action, diff)
		}
	}
}
