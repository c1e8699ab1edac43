package console

import (
	"context"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/snippet"
	"github.com/gatehouse-id/gatehouse/templates"
)

// clientSettings are what an app's framework wants to be told, with the real values. A
// secret is never among them: it is shown once, elsewhere.
func (h *Handler) clientSettings(ctx context.Context, v *visit, app *accounts.Client) (*templates.ConsoleBlock, error) {
	if app.Type == accounts.ResourceClient {
		return nil, nil
	}
	apis, err := h.Admin.AppAPIs(ctx, app)
	if err != nil {
		return nil, err
	}
	is := snippet.App{Issuer: v.Issuer.String(), Client: app, APIs: apis}
	block := &templates.ConsoleBlock{
		ID: "settings", Heading: templates.Say("console.client.settings"), Note: templates.Say("console.client.settings_note"),
	}
	for _, s := range snippet.For(is) {
		said := templates.Named(s.Name)
		if s.Name == "" {
			said = templates.Say("console.client.environment")
		}
		block.Code = append(block.Code, templates.ConsoleCode{ID: s.ID, Said: said, Text: s.Text})
	}
	return block, nil
}
