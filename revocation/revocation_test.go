package revocation_test

import (
	"testing"

	"github.com/gatehouse-id/gatehouse/revocation"
)

func TestRowMatches(t *testing.T) {
	person := revocation.Keys{
		ID: "j", SessionID: "s", GrantID: "g", Subject: "u", ClientID: "c", KeyID: "k", Audience: "https://a", Scopes: []string{"openid", "posts:add"}, Rev: 10,
	}
	machine := revocation.Keys{ID: "j", Subject: "c", ClientID: "c", KeyID: "k", Scopes: []string{"posts:add"}, Rev: 10}
	tests := []struct {
		name  string
		row   revocation.Row
		token revocation.Keys
		want  bool
	}{
		{"token, before rev", revocation.Row{Kind: revocation.Token, Key: "j", Position: 1}, person, true},
		{"another token", revocation.Row{Kind: revocation.Token, Key: "x", Position: 11}, person, false},
		{"session, before rev", revocation.Row{Kind: revocation.Session, Key: "s", Position: 1}, person, true},
		{"a stamp's session, which is nobody's", revocation.Row{Kind: revocation.Session, Position: 11}, machine, false},
		{"grant, before rev", revocation.Row{Kind: revocation.Grant, Key: "g", Position: 1}, person, true},
		{"no grant", revocation.Row{Kind: revocation.Grant, Position: 11}, machine, false},
		{"key, before rev", revocation.Row{Kind: revocation.Key, Key: "k", Position: 1}, machine, true},
		{"user, after rev", revocation.Row{Kind: revocation.User, Key: "u", Position: 11}, person, true},
		{"user, at rev", revocation.Row{Kind: revocation.User, Key: "u", Position: 10}, person, false},
		{"membership, after rev", revocation.Row{Kind: revocation.Membership, Key: "u", Position: 11}, person, true},
		{"permission in the token", revocation.Row{Kind: revocation.Permission, Key: "posts:add", Position: 11}, person, true},
		{"permission not in the token", revocation.Row{Kind: revocation.Permission, Key: "posts:delete", Position: 11}, person, false},
		{"permission, of a machine", revocation.Row{Kind: revocation.Permission, Key: "posts:add", Position: 11}, machine, false},
		{"client, after rev", revocation.Row{Kind: revocation.Client, Key: "c", Position: 11}, machine, true},
		{"client, at rev", revocation.Row{Kind: revocation.Client, Key: "c", Position: 10}, machine, false},
		{"all, after rev", revocation.Row{Kind: revocation.All, Position: 11}, machine, true},
		{"all, at rev", revocation.Row{Kind: revocation.All, Position: 10}, machine, false},
		{"all for the API, after rev", revocation.Row{Kind: revocation.All, Audience: "https://a", Position: 11}, person, true},
		{"all for the API, at rev", revocation.Row{Kind: revocation.All, Audience: "https://a", Position: 10}, person, false},
		{"all for another API", revocation.Row{Kind: revocation.All, Audience: "https://b", Position: 11}, person, false},
		{"all for an API, of a token without one", revocation.Row{Kind: revocation.All, Audience: "https://a", Position: 11}, machine, false},
		{"a kind of a later release", revocation.Row{Kind: "planet", Key: "earth", Position: 11}, person, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.row.Matches(tt.token); got != tt.want {
				t.Errorf("matches = %v, want %v", got, tt.want)
			}
		})
	}
}
