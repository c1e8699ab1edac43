package consent

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/flow"
	"github.com/gatehouse-id/gatehouse/templates"
)

// Scopes that no API defines. Their texts are in the catalog of the pages.
const (
	scopeProfile = "profile"
	scopeEmail   = "email"
	scopeAddress = "address"
	scopePhone   = "phone"
	scopeGroups  = "groups"
	scopeOffline = "offline_access"
)

// aboutPerson lists, in the order of the page, the scopes that tell the app who
// somebody is.
func aboutPerson() []string {
	return []string{"openid", scopeProfile, scopeEmail, scopePhone, scopeAddress, scopeGroups}
}

// describe puts what a flow asks for into plain words, with the values that the
// app would see and what the person answered before.
func (h *Handler) describe(r *http.Request, s *step, user *accounts.User, lang templates.Language) ([]templates.ScopeGroup, error) {
	before, err := h.Remembered.ConsentOf(r.Context(), user.ID, s.client.ID)
	if err != nil && !errors.Is(err, accounts.ErrNotFound) {
		return nil, fmt.Errorf("find earlier consent: %w", err)
	}
	if !before.Live(h.now()) {
		before = nil
	}
	identity := templates.ScopeGroup{Kind: templates.ScopesIdentity}
	for _, scope := range aboutPerson() {
		if !slices.Contains(s.flow.Scopes, scope) {
			continue
		}
		item := s.item(scope, before)
		if item.Value, err = h.value(r, s.client, user, scope); err != nil {
			return nil, err
		}
		identity.Scopes = append(identity.Scopes, item)
	}
	groups, err := h.describePermissions(r, s, before, lang)
	if err != nil {
		return nil, err
	}
	groups = append([]templates.ScopeGroup{identity}, groups...)
	if slices.Contains(s.flow.Scopes, scopeOffline) {
		groups = append(groups, templates.ScopeGroup{
			Kind: templates.ScopesOffline, Scopes: []templates.ScopeItem{s.item(scopeOffline, before)},
		})
	}
	return slices.DeleteFunc(groups, func(g templates.ScopeGroup) bool { return len(g.Scopes) == 0 }), nil
}

// item is one scope. An optional one is ticked unless the person left it out
// before; it is new if earlier pages, of which there were some, did not show it.
func (s *step) item(scope string, before *accounts.Consent) templates.ScopeItem {
	item := templates.ScopeItem{Name: scope, Optional: s.client.Optional(scope), Checked: true}
	if before != nil {
		item.New = !slices.Contains(before.Asked, scope)
		item.Checked = item.New || slices.Contains(before.Scopes, scope)
	}
	return item
}

// describePermissions groups the permissions by API, in the order of the APIs'
// names, with those that nothing defines at the end. One that the person does not
// hold at present is shown all the same: allowed now, it works once it is given.
func (h *Handler) describePermissions(r *http.Request, s *step, before *accounts.Consent, lang templates.Language) ([]templates.ScopeGroup, error) {
	left := slices.DeleteFunc(slices.Clone(s.flow.Scopes), func(scope string) bool {
		return scope == scopeOffline || slices.Contains(aboutPerson(), scope)
	})
	if len(left) == 0 {
		return nil, nil
	}
	apis, err := h.APIs.ListAPIs(r.Context())
	if err != nil {
		return nil, fmt.Errorf("list APIs: %w", err)
	}
	held := []string(nil)
	if hash, ok := accounts.HashSessionToken(h.Cookies.Get(r, flow.SessionCookie)); ok {
		if held, err = h.Holdings.HeldPermissions(r.Context(), hash, left, h.now()); err != nil {
			return nil, fmt.Errorf("find permissions held: %w", err)
		}
	}
	var groups []templates.ScopeGroup
	for _, api := range apis {
		g := templates.ScopeGroup{Kind: templates.ScopesAct, API: api.NameIn(lang.Tag())}
		for _, p := range api.Permissions {
			i := slices.Index(left, p.Name)
			if i < 0 {
				continue
			}
			left = slices.Delete(left, i, i+1)
			item := s.item(p.Name, before)
			item.Text, item.Unavailable = p.DescriptionIn(lang.Tag()), !slices.Contains(held, p.Name)
			g.Scopes = append(g.Scopes, item)
		}
		groups = append(groups, g)
	}
	slices.SortStableFunc(groups, func(a, b templates.ScopeGroup) int { return strings.Compare(a.API, b.API) })
	unknown := templates.ScopeGroup{Kind: templates.ScopesAct}
	for _, scope := range left {
		item := s.item(scope, before)
		item.Unavailable = true
		unknown.Scopes = append(unknown.Scopes, item)
	}
	return append(groups, unknown), nil
}

// value is what the app will see of a scope now.
func (h *Handler) value(r *http.Request, client *accounts.Client, user *accounts.User, scope string) (string, error) {
	switch scope {
	case scopeProfile:
		if user.Name != "" {
			return user.Name, nil
		}
		return user.Username, nil
	case scopeEmail:
		return user.Email, nil
	case scopePhone:
		return user.Profile.PhoneNumber, nil
	case scopeAddress:
		return addressLine(user.Profile.Address), nil
	case scopeGroups:
		return h.visibleGroups(r, client, user)
	}
	return "", nil
}

// visibleGroups lists those of the person's groups that the app may see.
func (h *Handler) visibleGroups(r *http.Request, client *accounts.Client, user *accounts.User) (string, error) {
	if len(client.VisibleGroups) == 0 {
		return "", nil
	}
	names, err := h.Holdings.GroupsOf(r.Context(), user.ID, h.now())
	if err != nil {
		return "", fmt.Errorf("find groups: %w", err)
	}
	if !slices.Contains(client.VisibleGroups, "*") {
		names = slices.DeleteFunc(slices.Clone(names), func(name string) bool {
			return !slices.Contains(client.VisibleGroups, name)
		})
	}
	return strings.Join(names, ", "), nil
}

func addressLine(a *accounts.Address) string {
	if a == nil {
		return ""
	}
	if a.Formatted != "" {
		return strings.Join(strings.FieldsFunc(a.Formatted, func(c rune) bool { return c == '\n' || c == '\r' }), ", ")
	}
	parts := []string{a.StreetAddress, strings.TrimSpace(a.PostalCode + " " + a.Locality), a.Region, a.Country}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

// redirectHost is the host to which the person will be sent, empty where it would
// say nothing: a native app is on their own device.
func redirectHost(client *accounts.Client, redirectURI string) string {
	u, err := url.Parse(redirectURI)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	if client.Type == accounts.NativeClient && accounts.KindOfRedirect(redirectURI) == accounts.LoopbackRedirect {
		return ""
	}
	return u.Host
}

// warnings are due where another program on the person's device could receive the
// response and, having no secret to show, use it (RFC 8252 §8.6).
func warnings(client *accounts.Client, redirectURI string) []templates.ConsentWarning {
	if !client.Public() {
		return nil
	}
	switch accounts.KindOfRedirect(redirectURI) {
	case accounts.LoopbackRedirect:
		return []templates.ConsentWarning{templates.WarnLoopback}
	case accounts.CustomRedirect:
		return []templates.ConsentWarning{templates.WarnCustomScheme}
	case accounts.HTTPSRedirect:
	}
	return nil
}
