package provider_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// TestRace_EndAgainstIssue lets a cause that ends everything race with refreshes,
// redemptions and authorizations on all nodes. Whoever was first: when the cause
// is through and all have their answers, nothing that was handed out works (L2).
func TestRace_EndAgainstIssue(t *testing.T) {
	type end struct {
		name, scope string
		do          func(ctx context.Context, node *server, c app, u *accounts.User, session id.ID) error
	}
	ends := []end{
		{"sign-out", "openid posts:add", func(ctx context.Context, node *server, _ app, u *accounts.User, session id.ID) error {
			return node.sessions.SignOut(ctx, tester, u.Subject, session)
		}},
		{"ban", "openid offline_access posts:add", func(ctx context.Context, node *server, _ app, u *accounts.User, _ id.ID) error {
			return node.users.Ban(ctx, tester, u.Subject)
		}},
		{"disconnect", "openid offline_access posts:add", func(ctx context.Context, node *server, c app, u *accounts.User, _ id.ID) error {
			return node.consents.Disconnect(ctx, tester, u, c.Client)
		}},
		{"client disabled", "openid offline_access posts:add", func(ctx context.Context, node *server, c app, _ *accounts.User, _ id.ID) error {
			return node.clients.Disable(ctx, tester, c.ClientID)
		}},
	}
	onNodes(t, func(t *testing.T, w *world, nodes []*server) {
		for _, e := range ends {
			t.Run(e.name, func(t *testing.T) {
				c := w.register(accounts.Registration{
					Name: e.name, Type: accounts.WebClient, RedirectURIs: []string{callback}, Scopes: w.web.Scopes,
				})
				h := newHandedOut(t, w, c, w.person(strings.ReplaceAll(e.name, " ", "-")), e.scope)
				got := race(racers, func(i int) answer {
					if i == racers/2 {
						if err := e.do(context.WithoutCancel(t.Context()), nodes[1%len(nodes)], c, h.user, h.session); err != nil {
							t.Error(err)
						}
						return answer{status: http.StatusNoContent}
					}
					return h.use(nodes[i%len(nodes)], i)
				})
				h.wantAllDead(t, w, nodes, got)
			})
		}
	})
}

// handedOut is what one person's browser and their app hold when the race begins.
type handedOut struct {
	user    *accounts.User
	session id.ID
	browser *browser
	app     app
	request url.Values
	codes   []string
	grants  []answer
}

// Of four racers one authorizes, one redeems a code of its own, and two refresh.
const (
	handedCodes  = racers / 4
	handedGrants = 4
)

func newHandedOut(t *testing.T, w *world, c app, u *accounts.User, scope string) *handedOut {
	t.Helper()
	if err := w.groups.AddMember(t.Context(), tester, "Editors", u.Subject, 0); err != nil {
		t.Fatal(err)
	}
	w.allow(u, c, strings.Fields(scope)...)
	h := &handedOut{user: u, app: c, browser: w.browser(), request: c.request(scope)}
	h.session = h.browser.signIn(u).ID
	for range handedCodes {
		h.codes = append(h.codes, h.browser.code(h.request))
	}
	for range handedGrants {
		a := w.redeem(c, h.browser.code(h.request))
		if a.status != http.StatusOK {
			t.Fatal(a.raw)
		}
		h.grants = append(h.grants, a)
	}
	return h
}

// use does the racer's part. The answer to an authorization holds its code.
func (h *handedOut) use(node *server, i int) answer {
	switch i % 4 {
	case 0:
		resp := raceTab(h.browser, node).authorize(h.request)
		at, err := url.Parse(resp.Header.Get("Location"))
		if err != nil {
			return answer{status: http.StatusInternalServerError, raw: err.Error()}
		}
		return answer{status: resp.StatusCode, json: map[string]any{"code": at.Query().Get("code")}}
	case 1:
		return node.redeem(h.app, h.codes[i/4])
	default:
		return node.refresh(h.app, h.grants[i%handedGrants].str("refresh_token"))
	}
}

func (h *handedOut) wantAllDead(t *testing.T, w *world, nodes []*server, got []answer) {
	t.Helper()
	issued := 0
	for i, a := range append(got, h.grants...) {
		switch {
		case a.status >= http.StatusInternalServerError:
			t.Errorf("racer %d: %d %s", i, a.status, a.raw)
		case a.str("code") != "":
			// What refuses it may be the client's authentication.
			if b := w.redeem(h.app, a.str("code")); b.status == http.StatusOK {
				t.Errorf("racer %d: its code still works", i)
			}
		case a.status == http.StatusOK:
			issued++
			node := nodes[i%len(nodes)]
			if b := node.introspect(w.resource, a.str("access_token")); b.status != http.StatusOK || b.json["active"] != false {
				t.Errorf("racer %d: its access token is accepted: %s", i, b.raw)
			}
			if b := node.refresh(h.app, a.str("refresh_token")); b.status == http.StatusOK {
				t.Errorf("racer %d: its refresh token still works", i)
			}
		}
	}
	if issued < handedGrants {
		t.Errorf("%d tokens looked at", issued)
	}
}
