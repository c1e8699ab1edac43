package admin

import (
	"slices"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// reach names the permissions by which an app could serve whoever controls it: those
// that it holds itself, those of the deployment that it may ask people for, and, if
// it asks nobody's consent, all that it may ask for. An app reaches further than its
// own permissions say (CVE-2026-4629, CVE-2026-9795).
func reach(c *accounts.Client) []string {
	var found []string
	for _, p := range c.Held() {
		// What every API's resource server is made with does not raise it above those
		// who look after apps: it follows what concerns its own audience.
		if c.Type != accounts.ResourceClient || p != accounts.PermissionRevocationsRead {
			found = append(found, p)
		}
	}
	for _, s := range slices.Concat(c.Scopes, c.OptionalScopes) {
		if accounts.IsBuiltinPermission(s) || c.FirstParty && !protocolScope(s) {
			found = append(found, s)
		}
	}
	slices.Sort(found)
	return slices.Compact(found)
}

// protocolScope reports whether a scope is one that no permission can be called.
func protocolScope(s string) bool {
	return slices.Contains([]string{"openid", "profile", "email", "address", "phone", "offline_access", "groups"}, s)
}

// mayChangeApp is asked before anything about an app is changed.
func (c *Caller) mayChangeApp(app *accounts.Client) error { return c.mayTouch(false, reach(app)) }

// mayControlApp is asked before a change after which the caller could act as the app:
// its credentials, and where its codes go.
func (c *Caller) mayControlApp(app *accounts.Client) error { return c.mayTakeOver(false, reach(app)) }

// mayTurn is asked whether an app may become another, as the caller wants it.
func (c *Caller) mayTurn(before, after *accounts.Client) error {
	if err := c.mayChangeApp(before); err != nil {
		return err
	}
	had := reach(before)
	gained := slices.DeleteFunc(reach(after), func(p string) bool { return slices.Contains(had, p) })
	if err := c.mayGive(gained); err != nil {
		return err
	}
	if err := c.mayShow(before.VisibleGroups, after.VisibleGroups); err != nil {
		return err
	}
	if controls(before, after) {
		return c.mayControlApp(before)
	}
	return nil
}

// mayShow is asked whether an app may be shown more groups of the people who use it:
// they are for those who may see groups to give away.
func (c *Caller) mayShow(before, after []string) error {
	if slices.ContainsFunc(after, func(g string) bool { return !slices.Contains(before, g) }) {
		return c.mayGive([]string{accounts.AdminGroupsRead})
	}
	return nil
}

// controls reports whether a change could hand an app to somebody else.
func controls(before, after *accounts.Client) bool {
	more := func(b, a []string) bool {
		return slices.ContainsFunc(a, func(s string) bool { return !slices.Contains(b, s) })
	}
	return before.AuthMethod != after.AuthMethod || before.JWKS != after.JWKS ||
		more(before.RedirectURIs, after.RedirectURIs) || more(before.GrantTypes, after.GrantTypes) ||
		before.RequirePKCE && !after.RequirePKCE || before.RequirePAR && !after.RequirePAR ||
		!before.TokenEndpointAudience && after.TokenEndpointAudience ||
		!before.FirstParty && after.FirstParty
}
