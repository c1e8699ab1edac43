package api_test

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// managedWay shows which file manages a thing, and lets it be changed all the same.
func managedWay(t *testing.T, w *world) {
	group, err := w.admin.Groups.Create(w.Context(), tester, "In git", "")
	w.must(err)
	found, err := w.admin.APIs.Find(w.Context(), posts)
	w.must(err)
	set, err := w.admin.Sets.Create(w.Context(), tester, "Set in git", "")
	w.must(err)
	for _, tt := range []struct {
		kind             accounts.ManagedKind
		name             string
		object           id.ID
		list, path, edit string
	}{
		{accounts.ManagedGroup, "in git", group.ID, "/groups?name=in+g", "/groups/" + tilde("In git"), `{"description": "x"}`},
		{accounts.ManagedAPI, posts, found.ID, "/apis?text=" + posts, "/apis/" + tilde(posts), `{"token_seconds": 60}`},
		{accounts.ManagedPermissionSet, "set in git", set.ID, "/permission-sets?name=set+in", "/permission-sets/" + tilde("Set in git"), `{"description": "x"}`},
		{accounts.ManagedClient, w.app.ClientID, w.app.ID, "/clients?name=operators", "/clients/" + w.app.ClientID, `{"home_uri": "https://app.example.com"}`},
	} {
		t.Run(string(tt.kind), func(t *testing.T) {
			w := w.within(t)
			plain := w.want(w.call(w.rootKey, http.MethodGet, tt.path, nil), http.StatusOK, "")
			w.must(w.db.PutManaged(w.Context(), &accounts.Managed{
				Kind: tt.kind, Name: tt.name, Object: tt.object, Manager: "ops-repo", Applied: map[string]any{"name": "x", "description": "y"}, AppliedAt: 1,
			}))
			want := any(map[string]any{"by": "ops-repo", "fields": []any{"description", "name"}})
			read := w.want(w.call(w.rootKey, http.MethodGet, tt.path, nil), http.StatusOK, "")
			tag := read.header.Get("ETag")
			if diff := cmp.Diff(want, read.json["managed"]); diff != "" || plain.json["managed"] != nil || tag == plain.header.Get("ETag") {
				t.Errorf("before %v; tag %s; %s", plain.json["managed"], tag, diff)
			}
			w.want(w.call(w.rootKey, http.MethodGet, tt.path, nil, "If-None-Match", tag), http.StatusNotModified, "")
			items := w.want(w.call(w.rootKey, http.MethodGet, tt.list, nil), http.StatusOK, "").items()
			if len(items) != 1 || cmp.Diff(want, items[0]["managed"]) != "" {
				t.Errorf("in the list: %v", items)
			}
			// The tag of before the mark still names what is changed, and that of any other state does not.
			changed := w.want(w.call(w.rootKey, http.MethodPatch, tt.path, tt.edit, "If-Match", plain.header.Get("ETag")), http.StatusOK, "")
			if diff := cmp.Diff(want, changed.json["managed"]); diff != "" {
				t.Errorf("changed: %s", diff)
			}
			w.want(w.call(w.rootKey, http.MethodPatch, tt.path, tt.edit, "If-Match", tag), http.StatusPreconditionFailed, "changed")
			w.want(w.call(w.rootKey, http.MethodPatch, tt.path, tt.edit, "If-Match", changed.header.Get("ETag")), http.StatusOK, "")
		})
	}
}
