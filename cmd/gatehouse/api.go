package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

type apiCommand struct {
	Create             apiCreate             `cmd:"" help:"Make an API, its permissions, and its resource server's own client."`
	List               apiList               `cmd:"" help:"List APIs."`
	Show               apiShow               `cmd:"" help:"Show an API and its permissions."`
	Update             apiUpdate             `cmd:"" help:"Change what tokens for an API are like, or its name."`
	AddPermission      apiAddPermission      `cmd:"" help:"Add a permission to an API; nobody holds it yet."`
	DescribePermission apiDescribePermission `cmd:"" help:"Change what people read about a permission."`
	DeletePermission   apiDeletePermission   `cmd:"" help:"Take a permission from everyone and remove it."`
	Disable            apiDisable            `cmd:"" help:"Let an API give nothing any more."`
	Enable             apiEnable             `cmd:"" help:"End a disable."`
	Delete             apiDelete             `cmd:"" help:"Remove an API with its permissions and its client."`
}

// whichAPI names an API on the command line.
type whichAPI struct {
	Audience string `required:"" placeholder:"URI" help:"Audience of the API's tokens, such as https://api.example.com."`
}

// explain says what the domain's errors mean for this API.
func (a whichAPI) explain(err error) error {
	switch {
	case errors.Is(err, accounts.ErrNotFound):
		return fmt.Errorf("there is no API with the audience %q, or no such permission of it", a.Audience)
	case errors.Is(err, accounts.ErrBuiltin):
		return errors.New("that belongs to the API which Gatehouse itself serves, and stays")
	}
	return err
}

func (a whichAPI) change(c *call, did string, f func(ctx context.Context, d *domain, by audit.Actor) error) error {
	return c.with(false, func(ctx context.Context, d *domain, by audit.Actor) error {
		if err := f(ctx, d, by); err != nil {
			return a.explain(err)
		}
		return c.done("API %s %s", plain(a.Audience), did)
	})
}

type permissionAnswer struct {
	Name        string         `json:"name"`
	Description string         `json:"description"`
	Texts       accounts.Texts `json:"texts,omitempty"`
}

type apiAnswer struct {
	Audience     string             `json:"audience"`
	Name         string             `json:"name"`
	Texts        accounts.Texts     `json:"texts,omitempty"`
	Disabled     bool               `json:"disabled"`
	StatusList   bool               `json:"status_list"`
	SaysHow      bool               `json:"authentication_claims"`
	Permissions  []permissionAnswer `json:"permissions"`
	ClientID     string             `json:"client_id,omitempty"`
	ClientSecret string             `json:"client_secret,omitempty"` // only when it was made
}

func apiAnswerOf(a *accounts.API) apiAnswer {
	out := apiAnswer{
		Audience: a.Audience, Name: a.Name, Texts: a.Texts, Disabled: a.DisabledAt != 0, StatusList: a.StatusList, SaysHow: a.AuthenticationClaims, ClientID: a.ResourceServer,
		Permissions: []permissionAnswer{},
	}
	for _, p := range a.Permissions {
		out.Permissions = append(out.Permissions, permissionAnswer{p.Name, p.Description, p.Texts})
	}
	return out
}

func (a apiAnswer) names() string {
	names := make([]string, len(a.Permissions))
	for i, p := range a.Permissions {
		names[i] = p.Name
	}
	return words(names)
}

// parsePermission reads "posts:add=Can add post".
func parsePermission(text string) (accounts.NewPermission, error) {
	name, description, ok := strings.Cut(text, "=")
	if !ok || description == "" {
		return accounts.NewPermission{}, fmt.Errorf(`permission %q: write a name and what it lets people do, such as "posts:add=Can add post"`, text)
	}
	return accounts.NewPermission{Name: name, Description: description}, nil
}

type apiCreate struct {
	whichAPI
	Name       string   `required:"" help:"What people know it by."`
	Permission []string `sep:"none" placeholder:"NAME=TEXT" help:"A permission and what it lets people do; repeatable."`
	StatusList bool     `help:"Tokens name their place in a token status list, for servers that follow no feed."`
	SaysHow    bool     `name:"authentication-claims" help:"Tokens say when and how their person signed in, for servers that ask for a second factor."`
	textOptions
}

// Run makes an API.
func (a *apiCreate) Run(c *call) error {
	n := accounts.NewAPI{Audience: a.Audience, Name: a.Name, StatusList: a.StatusList, AuthenticationClaims: a.SaysHow}
	var err error
	if n.Texts, err = a.edit(nil); err != nil {
		return err
	}
	for _, text := range a.Permission {
		p, err := parsePermission(text)
		if err != nil {
			return err
		}
		n.Permissions = append(n.Permissions, p)
	}
	return c.with(true, func(ctx context.Context, d *domain, by audit.Actor) error {
		if err := d.checkSecret(ctx); err != nil {
			return err
		}
		made, _, text, err := d.apis.Create(ctx, by, n)
		if errors.Is(err, accounts.ErrConflict) {
			return fmt.Errorf("the audience %q or the name of a permission is taken", a.Audience)
		}
		if err != nil {
			return err
		}
		answer := apiAnswerOf(made)
		answer.ClientSecret = text.Reveal()
		issuer := d.cfg.Issuer.String()
		return c.answer(answer, func(w io.Writer) {
			_, _ = fmt.Fprintf(w, "API %s created: %s\n\nIts resource server's own client (the secret is shown this once):\n\n", plain(answer.Name), answer.Audience)
			_, _ = fmt.Fprintf(w, "ISSUER=%s\nAUDIENCE=%s\nCLIENT_ID=%s\nCLIENT_SECRET=%s\n", issuer, answer.Audience, answer.ClientID, answer.ClientSecret)
		})
	})
}

type apiList struct{}

// Run lists APIs.
func (apiList) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		found, err := d.db.ListAPIs(ctx)
		if err != nil {
			return err
		}
		list := make([]apiAnswer, len(found))
		rows := [][]string{{"AUDIENCE", "NAME", "PERMISSIONS", ""}}
		for i := range found {
			list[i] = apiAnswerOf(&found[i])
			rows = append(rows, []string{list[i].Audience, list[i].Name, list[i].names(), mark(list[i].Disabled, "disabled")})
		}
		return c.answer(map[string]any{"apis": list}, func(w io.Writer) { table(w, rows...) })
	})
}

type apiShow struct{ whichAPI }

// Run shows an API.
func (a *apiShow) Run(c *call) error {
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		found, err := d.apis.Find(ctx, a.Audience)
		if err != nil {
			return a.explain(err)
		}
		answer := apiAnswerOf(found)
		rows := [][]string{
			{"audience", answer.Audience},
			{"name", strings.TrimSpace(answer.Name + " " + mark(answer.Disabled, "(disabled)"))},
			{"client_id", answer.ClientID},
		}
		rows = append(rows, textRows(answer.Texts)...)
		if answer.StatusList {
			rows = append(rows, []string{"status_list", "yes"})
		}
		if answer.SaysHow {
			rows = append(rows, []string{"authentication_claims", "yes"})
		}
		for _, p := range answer.Permissions {
			rows = append(rows, []string{"permission", p.Name, p.Description})
			rows = append(rows, textRows(p.Texts)...)
		}
		return c.answer(answer, func(w io.Writer) { table(w, rows...) })
	})
}

type apiAddPermission struct {
	whichAPI
	Permission string `required:"" placeholder:"NAME=TEXT" help:"The permission and what it lets people do."`
	textOptions
}

// Run adds a permission.
func (a *apiAddPermission) Run(c *call) error {
	p, err := parsePermission(a.Permission)
	if err != nil {
		return err
	}
	if p.Texts, err = a.edit(nil); err != nil {
		return err
	}
	return a.change(c, "has the permission "+p.Name, func(ctx context.Context, d *domain, by audit.Actor) error {
		err := d.apis.AddPermission(ctx, by, a.Audience, p)
		if errors.Is(err, accounts.ErrConflict) {
			return fmt.Errorf("the permission %q is there already", p.Name)
		}
		return err
	})
}

type apiDeletePermission struct {
	whichAPI
	whichPermission
}

// Run removes a permission.
func (a *apiDeletePermission) Run(c *call) error {
	return a.change(c, "has no permission "+a.Permission+" any more", func(ctx context.Context, d *domain, by audit.Actor) error {
		return d.apis.DeletePermission(ctx, by, a.Audience, a.Permission)
	})
}

type apiDisable struct{ whichAPI }

// Run disables an API.
func (a *apiDisable) Run(c *call) error {
	return a.change(c, "disabled", func(ctx context.Context, d *domain, by audit.Actor) error {
		return d.apis.Disable(ctx, by, a.Audience)
	})
}

type apiEnable struct{ whichAPI }

// Run ends a disable.
func (a *apiEnable) Run(c *call) error {
	return a.change(c, "enabled", func(ctx context.Context, d *domain, by audit.Actor) error {
		return d.apis.Enable(ctx, by, a.Audience)
	})
}

type apiDelete struct{ whichAPI }

// Run removes an API.
func (a *apiDelete) Run(c *call) error {
	return a.change(c, "deleted", func(ctx context.Context, d *domain, by audit.Actor) error {
		return d.apis.Delete(ctx, by, a.Audience)
	})
}
