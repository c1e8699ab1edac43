package api_test

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// settingRules can keep three settings, of which one is pinned. Terms are a version and
// an address, or nothing.
type settingRules struct{}

// Settings implements accounts.SettingRules.
func (settingRules) Settings(kept map[string]string) ([]accounts.Setting, error) {
	list := []accounts.Setting{
		{Name: "sign_up", Kind: accounts.SettingChoice, Choices: []string{"open", "closed"}, Value: "closed", Default: "closed", Origin: accounts.SettingFromFlag},
		{Name: "terms_version", Kind: accounts.SettingText},
		{Name: "terms_url", Kind: accounts.SettingURL},
		{Name: "superuser_second_factor", Kind: accounts.SettingTruth, Default: "false"},
	}
	for i := range list[1:] {
		s := &list[i+1]
		s.Kept, s.Value, s.Origin = kept[s.Name], s.Default, accounts.SettingFromDefault
		if s.Kept != "" {
			s.Value, s.Origin = s.Kept, accounts.SettingFromDatabase
		}
	}
	if kept["terms_url"] == "bad" {
		return list, &accounts.BadField{Field: "terms_url", Err: fmt.Errorf("%w: write a URL", accounts.ErrInvalid)}
	}
	if kept["terms_version"] != "" && kept["terms_url"] == "" {
		return list, fmt.Errorf("%w: terms without an address", accounts.ErrInvalid)
	}
	return list, nil
}

// TestSettings reads settings and changes some, by what was seen.
func TestSettings(t *testing.T) {
	w := newWorld(t)
	read := w.want(w.call(w.rootKey, http.MethodGet, "/settings", nil), http.StatusOK, "")
	tag := read.header.Get("ETag")
	if at(read.json, "settings", 0, "origin") != "flag" || at(read.json, "settings", 1, "name") != "terms_version" || tag == "" {
		t.Fatal(read.raw)
	}
	w.want(w.call(w.rootKey, http.MethodGet, "/settings", nil, "If-None-Match", tag), http.StatusNotModified, "")
	patch := func(token, match string, values map[string]any) answer {
		t.Helper()
		return w.call(token, http.MethodPatch, "/settings", map[string]any{"values": values}, "If-Match", match)
	}
	w.want(w.call(w.rootKey, http.MethodPatch, "/settings", map[string]any{"values": map[string]any{"terms_url": nil}}), http.StatusPreconditionRequired, "")
	w.want(patch(w.rootKey, tag, map[string]any{}), http.StatusUnprocessableEntity, "invalid")
	w.want(patch(w.rootKey, tag, map[string]any{"terms_version": "1"}), http.StatusUnprocessableEntity, "invalid")
	for name, value := range map[string]string{"sign_up": "open", "issuer": "https://evil.example", "terms_url": "bad"} {
		a := w.want(patch(w.rootKey, tag, map[string]any{name: value}), http.StatusUnprocessableEntity, "invalid")
		if at(a.json, "errors", 0, "pointer") != "#/values/"+name {
			t.Errorf("%s: %s", name, a.raw)
		}
	}
	both := map[string]any{"terms_version": "1", "terms_url": "https://a.example/terms"}
	changed := w.want(patch(w.rootKey, tag, both), http.StatusOK, "")
	if at(changed.json, "settings", 1, "value") != "1" || at(changed.json, "settings", 1, "origin") != "database" || changed.header.Get("ETag") == tag {
		t.Error(changed.raw)
	}
	// Whoever has not seen that changes nothing.
	w.want(patch(w.rootKey, tag, map[string]any{"terms_version": "2"}), http.StatusPreconditionFailed, "")
	again := w.want(patch(w.rootKey, changed.header.Get("ETag"), map[string]any{"terms_version": nil, "terms_url": nil}), http.StatusOK, "")
	if again.header.Get("ETag") != tag {
		t.Errorf("taken back: %s", again.raw)
	}
	// A file's mark is part of what is read, and does not spoil what was seen.
	w.must(w.db.PutManaged(t.Context(), &accounts.Managed{
		Kind: accounts.ManagedSetting, Name: "terms_url", Object: accounts.SettingObject("terms_url"), Manager: "house", Applied: map[string]any{"value": ""},
	}))
	marked := w.want(w.call(w.rootKey, http.MethodGet, "/settings", nil, "If-None-Match", tag), http.StatusOK, "")
	if at(marked.json, "settings", 2, "managed", "by") != "house" || at(marked.json, "settings", 1, "managed") != nil {
		t.Error(marked.raw)
	}
	w.want(patch(w.rootKey, tag, both), http.StatusOK, "")
	w.want(patch(w.operator("reader", accounts.AdminSettingsRead), "*", both), http.StatusForbidden, "forbidden")
	w.want(w.call(w.operator("writer", accounts.AdminSettingsWrite), http.MethodGet, "/settings", nil), http.StatusForbidden, "forbidden")
}

// TestAttack_SettingsOfSuperusers: who may change settings, and is no superuser, does
// not decide how superusers sign in (attacks.md 229), not even beside other settings.
func TestAttack_SettingsOfSuperusers(t *testing.T) {
	w := newWorld(t)
	keeper := w.operator("keeper", accounts.AdminSettingsRead, accounts.AdminSettingsWrite)
	narrow := w.bearer(w.root, "openid", accounts.AdminSettingsRead, accounts.AdminSettingsWrite)
	patch := func(token string, values map[string]any) answer {
		t.Helper()
		return w.call(token, http.MethodPatch, "/settings", map[string]any{"values": values}, "If-Match", "*")
	}
	w.want(patch(w.rootKey, map[string]any{"superuser_second_factor": "true"}), http.StatusOK, "")
	for _, token := range []string{keeper, narrow} {
		for _, value := range []any{"false", nil} {
			w.want(patch(token, map[string]any{"superuser_second_factor": value, "terms_url": "https://a.example"}), http.StatusForbidden, "superuser-only")
		}
	}
	list, err := w.admin.Settings.List(t.Context())
	if err != nil || list[3].Value != "true" || list[2].Kept != "" {
		t.Errorf("%+v, %v", list, err)
	}
	w.want(patch(keeper, map[string]any{"terms_url": "https://a.example"}), http.StatusOK, "")
}
