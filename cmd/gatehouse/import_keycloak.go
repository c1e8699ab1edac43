package main

import (
	"fmt"
	"os"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/importing"
	"github.com/gatehouse-id/gatehouse/internal/importing/keycloak"
)

type importKeycloak struct {
	importOptions
	ClientRoles  map[string]string `name:"client-roles" mapsep:"none" placeholder:"CLIENT=URI" help:"The API whose permissions the roles of a client become; repeatable."`
	RolePrefix   string            `name:"role-prefix" default:"role:" placeholder:"TEXT" help:"What stands before the name of a realm role in that of its group (${default})."`
	DirectGroups bool              `name:"direct-groups" help:"Make a group for each role of a client that people hold without one."`
	FirstParty   bool              `name:"first-party" help:"Ask for no consent where Keycloak asked for none."`
}

// Run imports a realm.
func (i *importKeycloak) Run(c *call) error {
	for client, audience := range i.ClientRoles {
		if _, err := accounts.CanonicalAudience(audience); err != nil {
			return fmt.Errorf("--client-roles %s: %w", client, err)
		}
	}
	o := keycloak.Options{ClientRoles: i.ClientRoles, RolePrefix: i.RolePrefix, DirectGroups: i.DirectGroups, FirstParty: i.FirstParty}
	return i.run(c, o, func(file *os.File) (importing.Source, error) { return keycloak.New(file, o), nil })
}
