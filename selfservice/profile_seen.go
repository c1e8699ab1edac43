package selfservice

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/templates"
)

// seenScopes are those that tell of somebody, in the order of the page.
func seenScopes() []string { return []string{"profile", "email", "phone", "address", "groups"} }

// showSeen shows what an app would be told: by the very function that tells it.
func (h *Profile) showSeen(w http.ResponseWriter, r *http.Request) {
	_, user := h.Member(w, r)
	if user == nil {
		return
	}
	query, err := web.ParseQuery(r.URL.RawQuery, "scope")
	if err != nil {
		h.Malformed(w, r, err)
		return
	}
	lang := memberLanguage(h.Desk, r, user)
	apps, err := h.Activity.Apps(r.Context(), user, lang.Tag())
	if err != nil {
		h.Broken(w, r, err)
		return
	}
	p := templates.AccountSeen{Page: memberPage(h.Desk, r, "apps", pathSeen), Action: h.Path(pathSeen)}
	scopes := askedScopes(r, query)
	for _, app := range apps {
		p.Clients = append(p.Clients, templates.Choice{Value: app.ClientID, Text: app.NameIn(lang.Tag())})
		// Only apps that the person has to do with: which others there are is none
		// of their business.
		if app.ClientID == query.Get("client") {
			p.Client, scopes = app.ClientID, app.Scopes
		}
	}
	for _, scope := range seenScopes() {
		p.Scopes = append(p.Scopes, templates.SeenScope{Name: scope, Checked: slices.Contains(scopes, scope)})
	}
	claims, err := h.Claims.ClaimsFor(r.Context(), user.Subject, p.Client, append([]string{"openid"}, scopes...))
	if err == nil {
		p.Claims, err = seenClaims(claims, zoneOf(user))
	}
	if err != nil && !errors.Is(err, accounts.ErrNotFound) {
		h.Broken(w, r, err)
		return
	}
	h.Rendered(w, r, h.Pages.AccountSeen(w, http.StatusOK, lang, p))
}

// askedScopes are those that were ticked, or what most apps ask for.
func askedScopes(r *http.Request, query url.Values) []string {
	if r.URL.RawQuery == "" {
		return []string{"profile", "email"}
	}
	return slices.DeleteFunc(slices.Clone(query["scope"]), func(s string) bool { return !slices.Contains(seenScopes(), s) })
}

// seenClaims puts an answer of userinfo into rows, as the app will read it: out of
// its JSON.
func seenClaims(claims map[string]any, zone *time.Location) ([]templates.SeenClaim, error) {
	text, err := json.Marshal(claims)
	if err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var read map[string]any
	if err := decoder.Decode(&read); err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	var rows []templates.SeenClaim
	for name, value := range read {
		rows = append(rows, seenClaim(name, value, zone))
	}
	order := claimOrder()
	slices.SortFunc(rows, func(a, b templates.SeenClaim) int {
		i, j := slices.Index(order, a.Name), slices.Index(order, b.Name)
		switch {
		case i < 0 && j < 0:
			return strings.Compare(a.Name, b.Name)
		case i < 0:
			return 1
		case j < 0:
			return -1
		}
		return i - j
	})
	return rows, nil
}

// claimOrder is the order of the page; what it does not know comes last.
func claimOrder() []string {
	return []string{
		"sub", "preferred_username", "name", "given_name", "middle_name", "family_name", "nickname", "email", "email_verified",
		"phone_number", "phone_number_verified", "address", "birthdate", "gender", "picture", "website", "profile", "locale", "zoneinfo",
		"groups", "updated_at",
	}
}

func seenClaim(name string, value any, zone *time.Location) templates.SeenClaim {
	row := templates.SeenClaim{Name: name}
	switch v := value.(type) {
	case string:
		row.Text = v
	case bool:
		row.IsBool, row.Yes = true, v
	case json.Number:
		row.Text = v.String()
		if at, err := v.Int64(); err == nil && name == "updated_at" {
			row.At = time.Unix(at, 0).In(zone)
		}
	case []any:
		for _, one := range v {
			row.Lines = append(row.Lines, fmt.Sprint(one))
		}
	case map[string]any:
		row.Lines = seenAddress(v)
	default:
		row.Text = fmt.Sprint(v)
	}
	return row
}

// seenAddress lists the members of an address: the app is told each of them.
func seenAddress(members map[string]any) []string {
	var lines []string
	for _, name := range []string{"formatted", "street_address", "postal_code", "locality", "region", "country"} {
		if s, ok := members[name].(string); ok && s != "" {
			if name == "formatted" {
				return strings.Split(s, "\n")
			}
			lines = append(lines, s)
		}
	}
	return lines
}
