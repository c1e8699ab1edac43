package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

const tagSettings = "settings"

// Setting is one of those that the database can keep.
type Setting struct {
	Name    string   `json:"name"`
	Kind    string   `json:"kind" enum:"text,truth,number,duration,url,choice,list"`
	Choices []string `json:"choices,omitempty" nullable:"false"`
	Value   string   `json:"value" doc:"The one that holds; empty for none."`
	Default string   `json:"default"`
	Origin  string   `json:"origin" enum:"flag,variable,file,database,default" doc:"Where the value comes from. The first three are the configuration of the servers: what it gives cannot be changed here."`
	Kept    string   `json:"kept,omitempty" doc:"What the database keeps, also where the configuration goes before it."`
	Marked
}

// Settings are all that the database can keep, in their order.
type Settings struct {
	Settings []Setting `json:"settings" nullable:"false"`
}

// SettingsPatch is a change of settings.
type SettingsPatch struct {
	Values map[string]*string `json:"values" minProperties:"1" doc:"By name, as in the configuration file; a list has commas between. null keeps a setting no longer: its default holds again."`
}

func deploymentOf(list []accounts.Setting) Settings {
	all := Settings{Settings: make([]Setting, len(list))}
	for i, one := range list {
		all.Settings[i] = Setting{
			Name: one.Name, Kind: string(one.Kind), Choices: one.Choices, Value: one.Value, Default: one.Default,
			Origin: string(one.Origin), Kept: one.Kept,
		}
	}
	return all
}

// oneOfSettings is oneMarked for all settings together.
func (s *surface) oneOfSettings(ctx context.Context, seen Seen, list []accounts.Setting) (*One[Settings], error) {
	all := deploymentOf(list)
	tag := tagOf(all)
	err := markAll(ctx, s, accounts.ManagedSetting, all.Settings, func(i int) id.ID { return accounts.SettingObject(list[i].Name) })
	if err != nil {
		return nil, err
	}
	if marked := tagOf(all); marked != tag {
		tag = strings.TrimSuffix(tag, `"`) + partOf + strings.TrimPrefix(marked, `"`)
	}
	if err := seen.unchanged(tag); err != nil {
		return nil, err
	}
	return &One[Settings]{ETag: tag, Body: all}, nil
}

func (s *surface) settings() {
	register(s, Route{
		ID: "getSettings", Method: http.MethodGet, Path: "/settings", Tag: tagSettings, Permission: accounts.AdminSettingsRead,
		Summary: "Show the settings", Details: "Those about people and tokens that the database can keep.",
	}, func(ctx context.Context, c *admin.Caller, in *Seen) (*One[Settings], error) {
		list, err := s.Admin.ListSettings(ctx, c)
		if err != nil {
			return nil, err
		}
		return s.oneOfSettings(ctx, *in, list)
	})
	register(s, Route{
		ID: "updateSettings", Method: http.MethodPatch, Path: "/settings", Tag: tagSettings, Permission: accounts.AdminSettingsWrite,
		Summary: "Change settings",
		Details: "All that are named, or none; every node takes them within about a second. Only a superuser changes `superuser_second_factor`.",
	}, func(ctx context.Context, c *admin.Caller, in *struct {
		Match
		Body SettingsPatch
	},
	) (*One[Settings], error) {
		if err := in.given(); err != nil {
			return nil, err
		}
		values := map[string]string{}
		for name, v := range in.Body.Values {
			values[name] = ""
			if v != nil {
				values[name] = *v
			}
		}
		list, err := s.Admin.ChangeSettings(ctx, c, values, func(before []accounts.Setting) error {
			return in.unless(tagOf(deploymentOf(before)))
		})
		if err != nil {
			return nil, err
		}
		return s.oneOfSettings(ctx, Seen{}, list)
	})
}
