package console

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/counts"
	"github.com/gatehouse-id/gatehouse/provider/keys"
)

// builtKeys are the messages whose keys are put together, by their beginning.
func builtKeys() map[string][]string {
	var actions, types []string
	for _, a := range accounts.Actions() {
		actions = append(actions, string(a))
	}
	for _, k := range kinds() {
		types = append(types, string(k))
	}
	var crowd []string
	for _, a := range admin.CrowdActions() {
		crowd = append(crowd, string(a))
	}
	var advices []string
	for _, a := range admin.Advices() {
		advices = append(advices, string(a))
	}
	all := append(slices.Clone(types), string(accounts.ResourceClient))
	return map[string][]string{
		"console.done.":                 outcomes(),
		"console.setting.":              settingNames(),
		"console.setting.about_":        settingNames(),
		"console.setting.choice_":       settingChoices(),
		"console.settings.form_":        {"sign_up", "sign_in", "terms", "rest"},
		"console.bulk.do.":              crowd,
		"console.bulk.note.":            crowd,
		"console.address.advice_":       advices,
		"console.required.":             actions,
		"console.client.choose_":        types,
		"console.debug.prompt_":         {"none", "login", "consent"},
		"console.debug.step_":           {"push", "authorize", "token", "userinfo", "introspect", "refresh", "revoke_access", "revoke_refresh"},
		"console.debug.do_":             {"look", "userinfo", "introspect", "refresh", "revoke_access", "revoke_refresh", "end"},
		"console.debug.means_":          errorsKnown(),
		"console.debug.token_":          {"access", "id", "refresh"},
		"console.client.type_":          all,
		"console.client.redirect_hint_": all,
		"console.key.state_":            {string(keys.Next), string(keys.Active), string(keys.Retiring)},
		"console.refused.other_":        differs(),
		"console.refusal.":              meanings(),
		"console.traffic.kind_":         {string(counts.Token), string(counts.Introspection)},
		"console.user.do.":              {"ban", "unban", "delete", "undelete", "staff", "unstaff", "superuser", "unsuperuser", "link", "factors"},
		"console.user.does.":            {"ban", "delete", "factors", "staff", "unstaff", "superuser", "unsuperuser"},
		"console.user.":                 {"username", "email", "name"},
		"console.why.":                  reasonEnds(),
		"console.weak.":                 weaknesses(),
	}
}

func reasonEnds() []string {
	var ends []string
	for _, r := range reasons() {
		ends = append(ends, r.end)
	}
	for _, s := range states() {
		ends = append(ends, s.end)
	}
	return ends
}

// TestTexts: what the console says stands in the catalog, and nothing else does. The
// catalogs of other languages are held to the English one by package templates.
func TestTexts(t *testing.T) {
	named := map[string]bool{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	key := regexp.MustCompile(`"(console\.[a-z_0-9.]+)"`)
	built := builtKeys()
	for _, file := range append(files, "../../templates/html/console.html") {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range key.FindAllStringSubmatch(string(text), -1) {
			if m[1] == "console.css" || m[1] == "console.js" {
				continue
			}
			ends, parts := built[m[1]]
			if !parts {
				named[m[1]] = true
			}
			for _, end := range ends {
				named[m[1]+end] = true
			}
		}
	}
	var catalog map[string]any
	if _, err := toml.DecodeFile("../../templates/locales/en/console.toml", &catalog); err != nil {
		t.Fatal(err)
	}
	written := map[string]bool{}
	messages("", catalog, written)
	for k := range named {
		if !written[k] {
			t.Errorf("%s is said but not in the catalog", k)
		}
	}
	for k := range written {
		if !named[k] && !strings.HasPrefix(k, "console.area.") {
			t.Errorf("%s is in the catalog but never said", k)
		}
	}
	if len(named) < 150 {
		t.Errorf("only %d messages were found", len(named))
	}
}

func messages(at string, table map[string]any, found map[string]bool) {
	for name, value := range table {
		key := strings.TrimPrefix(at+"."+name, ".")
		inner, isTable := value.(map[string]any)
		switch {
		case !isTable:
			found[key] = true
		case inner["other"] != nil: // plural forms
			found[key] = true
		default:
			messages(key, inner, found)
		}
	}
}
