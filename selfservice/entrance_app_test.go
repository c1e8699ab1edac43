package selfservice_test

import (
	"context"
	"crypto/sha256"
	"net/http"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// oneApp knows one flow and its app.
type oneApp struct {
	flow   *flow.Flow
	client *accounts.Client
}

func (o *oneApp) FlowByID(_ context.Context, flowID id.ID) (*flow.Flow, error) {
	if o.flow == nil || flowID != o.flow.ID {
		return nil, flow.ErrNotFound
	}
	return o.flow, nil
}

func (o *oneApp) ClientByID(_ context.Context, clientID string, _ int64) (*accounts.Client, accounts.Mark, error) {
	if clientID != o.client.ClientID {
		return nil, accounts.Mark{}, accounts.ErrNotFound
	}
	return o.client, accounts.Mark{}, nil
}

// TestEntrance_MailNamesTheApp: to whom it leads, and only in a flow that this browser
// has begun and that goes on; in the language of the mail.
func TestEntrance_MailNamesTheApp(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(f *flow.Flow, c *accounts.Client)
		want   string
	}{
		"on the way": {func(*flow.Flow, *accounts.Client) {}, "Post Board"},
		"whatever the app asks": {func(f *flow.Flow, c *accounts.Client) {
			f.UILocales = "fr"
			c.Texts = accounts.Texts{"fr": {Name: "Tableau"}}
		}, "Post Board"},
		"other browser": {func(f *flow.Flow, _ *accounts.Client) { f.BrowserHash = make([]byte, 32) }, ""},
		"expired":       {func(f *flow.Flow, _ *accounts.Client) { f.ExpiresAt = f.CreatedAt }, ""},
		"finished":      {func(f *flow.Flow, _ *accounts.Client) { f.FinishedAt = f.CreatedAt }, ""},
		"denied":        {func(f *flow.Flow, _ *accounts.Client) { f.DeniedAt = f.CreatedAt }, ""},
		"disabled app":  {func(_ *flow.Flow, c *accounts.Client) { c.DisabledAt = 1 }, ""},
		"deleted app":   {func(f *flow.Flow, _ *accounts.Client) { f.ClientID = "gone" }, ""},
		"unknown flow":  {func(f *flow.Flow, _ *accounts.Client) { f.ID = id.New() }, ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newEntrance(t)
			bob := w.member("bob", true)
			b := w.browser()
			b.get("/signup")
			hash := sha256.Sum256([]byte(b.jar[w.handler.Cookies.Name(flow.BrowserCookie)]))
			app := &oneApp{&flow.Flow{
				ID: id.New(), BrowserHash: hash[:], ClientID: "board", CreatedAt: w.now.UnixMilli(), ExpiresAt: w.now.Add(time.Hour).UnixMilli(),
			}, &accounts.Client{ClientID: "board", Name: "Post Board"}}
			at := "?flow=" + app.flow.ID.String()
			tt.change(app.flow, app.client)
			w.handler.Apps = app
			b.askSignUp("ada", "ada@example.org", at)
			if got := w.mail(accounts.MailVerifyAddress, "ada@example.org").Data[accounts.MailDataApp]; got != tt.want {
				t.Errorf("sign-up: %q, want %q", got, tt.want)
			}
			if tt.want != "" {
				app.client.Texts = accounts.Texts{"de": {Name: "Pinnwand"}}
				w.must(w.users.Amend(t.Context(), entranceOperator(), bob.Subject, func(_ *accounts.User, a *accounts.Amendment) error {
					a.Profile.Locale = "de"
					return nil
				}))
				tt.want = "Pinnwand"
			}
			page := b.get("/signin/code" + at)
			w.wantPage(b.follow(b.send(page, "email", "bob@example.org")), http.StatusOK)
			code := w.mail(accounts.MailCode, "bob@example.org")
			if got := code.Data[accounts.MailDataApp]; got != tt.want || tt.want != "" && code.Language != "de" {
				t.Errorf("code in %q: %q, want %q", code.Language, got, tt.want)
			}
		})
	}
}
