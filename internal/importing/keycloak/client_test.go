package keycloak_test

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/importing"
	"github.com/gatehouse-id/gatehouse/internal/importing/keycloak"
)

// imported reads a realm as a run does, and returns what was told of clients and people.
func imported(t *testing.T, realm string) (*importing.Plan, []string) {
	t.Helper()
	var notes []string
	report := &importing.Report{Write: func(i importing.Item) error {
		if i.Kind == "client" || i.Kind == "user" {
			notes = append(notes, i.Name+": "+i.Reason)
		}
		return nil
	}}
	r := keycloak.New(strings.NewReader(realm), keycloak.Options{ClientRoles: map[string]string{"posts": "https://posts.example.com"}})
	plan, err := r.Plan(report)
	if err != nil {
		t.Fatal(err)
	}
	people, err := r.People(report)
	for err == nil {
		_, err = people.Next()
	}
	if !errors.Is(err, io.EOF) {
		t.Fatal(err)
	}
	slices.Sort(notes)
	return plan, notes
}

// TestServiceAccounts: a client holds what its service account held, also by its groups
// and those around them, and what it does not hold is told.
func TestServiceAccounts(t *testing.T) {
	const realm = `{"realm":"x","roles":{"realm":[{"name":"chief","composites":{"client":{"posts":["all"]}}},{"name":"offline_access"}],
	"client":{"realm-management":[{"name":"manage-users"}],"posts":[{"name":"add"},{"name":"see"},{"name":"delete"},{"name":"all","composites":{"client":{"posts":["delete"]}}}]}},
"groups":[{"name":"Bots","path":"/Bots","clientRoles":{"posts":["add"]},"subGroups":[{"name":"Night","path":"/Bots/Night","clientRoles":{"posts":["see"]}}]}],
"users":[{"username":"service-account-bot","serviceAccountClientId":"bot",%s}],
"clients":[{"clientId":"%s","secret":"0123456789abcdef0123456789abcdef","serviceAccountsEnabled":true,"standardFlowEnabled":false%s}]}`
	for name, tt := range map[string]struct {
		account, client, more string
		want, notes           []string
	}{
		"roles": {
			`"enabled":true,"realmRoles":["chief","offline_access"],"clientRoles":{"account":["view-profile"]}`, "bot", "",
			[]string{"posts:all", "posts:delete"}, nil,
		},
		"what has no place": {
			`"enabled":true,"clientRoles":{"realm-management":["manage-users"],"other":["gone"],"posts":["add"]}`, "bot", "",
			[]string{"posts:add"}, []string{
				"bot: its service account administered Keycloak, and does not administer Gatehouse",
				"bot: its service account holds a role that the file does not hold",
			},
		},
		"groups":           {`"enabled":true,"groups":["/Bots"]`, "bot", "", []string{"posts:add"}, nil},
		"groups in groups": {`"enabled":true,"groups":["/Bots/Night"]`, "bot", "", []string{"posts:add", "posts:see"}, nil},
		"a group that is not there": {
			`"enabled":true,"groups":["/Gone"]`, "bot", "",
			nil, []string{"bot: its service account is in a group that the file does not hold"},
		},
		"limited to what its tokens held": {
			`"enabled":true,"groups":["/Bots"]`, "bot", `,"fullScopeAllowed":false`,
			nil, []string{"bot: its service account holds a role of another client, and full scope was not allowed: give it the permission if it needs it"},
		},
		"no account in the file": {
			`"enabled":true`, "other", "",
			nil, []string{"other: the file does not hold its service account, and so not what it may do (export the people too)"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			plan, notes := imported(t, fmt.Sprintf(realm, tt.account, tt.client, tt.more))
			if len(plan.Clients) != 1 {
				t.Fatalf("%d clients, %q", len(plan.Clients), notes)
			}
			if diff := cmp.Diff(tt.want, plan.Clients[0].Permissions); diff != "" {
				t.Errorf("it holds (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.notes, notes); diff != "" {
				t.Errorf("told (-want +got):\n%s", diff)
			}
		})
	}
	plan, notes := imported(t, fmt.Sprintf(realm, `"enabled":false,"realmRoles":["chief"]`, "bot", ""))
	if want := []string{"bot: its service account was not enabled", "bot: not made: it has neither the code flow nor a service account"}; len(plan.Clients) != 0 || !slices.Equal(notes, want) {
		t.Errorf("with an account that was not enabled: %d clients, %q", len(plan.Clients), notes)
	}
}

// TestStrictness: what a client was protected by and is not any more is told, and so are
// the consents that people had given.
func TestStrictness(t *testing.T) {
	const realm = `{"realm":"x","users":[{"username":"ada","enabled":true,"id":"1","clientConsents":[{"clientId":"board","grantedClientScopes":["email"]}]}],
"clients":[{"clientId":"board","secret":"0123456789abcdef0123456789abcdef","consentRequired":true,"redirectUris":["https://board.example.com/cb"],%s}]}`
	plan, notes := imported(t, fmt.Sprintf(realm, `"authorizationServicesEnabled":true,"authenticationFlowBindingOverrides":{"browser":"f"},"attributes":{
	"pkce.code.challenge.method":"S256","dpop.bound.access.tokens":"true","tls.client.certificate.bound.access.tokens":"true","request.object.required":"request only",
	"use.refresh.tokens":"false","minimum.acr.value":"2","standard.token.exchange.enabled":"true"}`))
	if diff := cmp.Diff([]string{
		"ada: had agreed to apps, and is asked for consent again",
		"board: a way of its own to sign in: people sign in as for all other apps",
		"board: authorization services (policies for resources)",
		"board: its requests had to be signed (request objects), and do not have to be now",
		"board: its tokens were bound to its certificate (mTLS): they open to whoever has them now",
		"board: its tokens were bound to its key (DPoP): they open to whoever has them now",
		"board: the setting minimum.acr.value",
		"board: token exchange",
	}, notes); diff != "" {
		t.Errorf("told (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{accounts.GrantAuthorizationCode}, plan.Clients[0].GrantTypes); diff != "" {
		t.Errorf("a client without refresh tokens (-want +got):\n%s", diff)
	}
	plan, notes = imported(t, fmt.Sprintf(realm, `"attributes":{"pkce.code.challenge.method":"S256","dpop.bound.access.tokens":"false",
	"tls.client.certificate.bound.access.tokens":"false","request.object.required":"not required","use.refresh.tokens":"true"}`))
	if len(notes) != 1 || !slices.Contains(plan.Clients[0].GrantTypes, accounts.GrantRefreshToken) {
		t.Errorf("a client with nothing special: %q, %q", notes, plan.Clients[0].GrantTypes)
	}
}
