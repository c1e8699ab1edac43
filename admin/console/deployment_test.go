package console_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// officeRules can keep what one form of each kind needs; the name is pinned.
type officeRules struct{}

// Settings implements accounts.SettingRules.
func (officeRules) Settings(kept map[string]string) ([]accounts.Setting, error) {
	list := []accounts.Setting{
		{Name: "brand_name", Kind: accounts.SettingText, Default: "Acme", Origin: accounts.SettingFromFile},
		{Name: "sign_up", Kind: accounts.SettingChoice, Choices: []string{"open", "domain", "closed"}, Default: "closed"},
		{Name: "sign_up_domains", Kind: accounts.SettingList},
		{Name: "password_min_length", Kind: accounts.SettingNumber, Default: "8"},
		{Name: "superuser_second_factor", Kind: accounts.SettingTruth, Default: "false"},
		{Name: "terms_url", Kind: accounts.SettingURL},
	}
	for i := range list {
		s := &list[i]
		s.Kept, s.Value = kept[s.Name], s.Default
		if s.Pinned() {
			continue
		}
		s.Origin = accounts.SettingFromDefault
		if s.Kept != "" {
			s.Value, s.Origin = s.Kept, accounts.SettingFromDatabase
		}
	}
	if kept["sign_up"] == "domain" && kept["sign_up_domains"] == "" {
		return list, fmt.Errorf("%w: name the domains", accounts.ErrInvalid)
	}
	return list, nil
}

func (o *office) keptSettings() string {
	o.Helper()
	rows, err := o.db.KeptSettings(o.Context())
	o.must(err)
	var told []string
	for _, r := range rows {
		told = append(told, r.Name+"="+r.Value)
	}
	return strings.Join(told, " ")
}

// TestConsole_Settings: who may change settings does so form by form; what is as by
// default is kept no longer, and what the configuration gives cannot be changed.
func TestConsole_Settings(t *testing.T) {
	o := newOffice(t, "https://id.example.com")
	root := o.clerk(o.person(accounts.NewUser{Username: "root", Staff: true, Superuser: true}))
	read := o.clerk(o.person(accounts.NewUser{Username: "reader", Staff: true}, accounts.AdminSettingsRead))
	write := o.clerk(o.person(accounts.NewUser{Username: "writer", Staff: true}, accounts.AdminSettingsRead, accounts.AdminSettingsWrite))
	none := o.clerk(o.person(accounts.NewUser{Username: "other", Staff: true}, accounts.AdminUsersRead))

	none.get("settings").sees(http.StatusForbidden)
	if s := none.get(""); strings.Contains(s.raw, `href="/admin/settings"`) {
		t.Error("who may not see settings is led to them")
	}
	s := read.get("settings").sees(http.StatusOK, "Who can make an account", "Nobody; operators", "configuration of the servers", "!Save")
	if refused := read.send(http.MethodPost, "/admin/settings", url.Values{"flow": {formTicket(s)}, "action": {"sign_up"}, "sign_up": {"open"}}); refused.status == http.StatusSeeOther || o.keptSettings() != "" {
		t.Errorf("a reader has written: %d, %s", refused.status, o.keptSettings())
	}

	s = write.get("settings").sees(http.StatusOK, "Set by the configuration of the servers")
	for _, want := range []string{`type="radio" name="sign_up" value="closed" checked`, `type="number" id="password_min_length"`, `type="url" id="terms_url"`} {
		if !strings.Contains(s.raw, want) {
			t.Errorf("no %s", want)
		}
	}
	write.post(s, "action=sign_up", url.Values{"sign_up": {"domain"}}).sees(http.StatusOK, "name the domains", "!Saved")
	write.post(s, "action=sign_up", url.Values{"sign_up": {"domain"}, "sign_up_domains": {" example.org "}}).sees(http.StatusOK, "Saved", "example.org")
	if got := o.keptSettings(); got != "sign_up=domain sign_up_domains=example.org" {
		t.Errorf("kept: %s", got)
	}
	// The page that was drawn before that shows what is so no more.
	write.post(s, "action=sign_in", url.Values{"password_min_length": {"12"}}).sees(http.StatusOK, "has changed since")
	s = write.get("settings")
	write.post(s, "action=sign_up", url.Values{"sign_up": {"closed"}, "sign_up_domains": {""}}).sees(http.StatusOK, "Saved")
	if got := o.keptSettings(); got != "" {
		t.Errorf("what is as by default is kept: %s", got)
	}
	// A pinned one is passed over, and so is what only a superuser changes.
	s = write.get("settings")
	write.post(s, "action=sign_in", url.Values{"password_min_length": {"12"}, "superuser_second_factor": {"true"}, "brand_name": {"Evil"}}).sees(http.StatusOK, "Saved")
	root.post(root.get("settings"), "action=sign_in", url.Values{"superuser_second_factor": {"true"}}).sees(http.StatusOK, "Saved")
	if got := o.keptSettings(); got != "password_min_length=12 superuser_second_factor=true" {
		t.Errorf("kept: %s", got)
	}
	write.post(write.get("settings"), "action=sign_in", url.Values{"action": {"all"}}).sees(http.StatusBadRequest)
}

// formTicket is what the page's forms carry.
func formTicket(s *sheet) string {
	_, values := s.form("")
	return values.Get("flow")
}
