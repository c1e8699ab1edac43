package admin

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// Difference is a part in which two URIs differ.
type Difference string

// The parts. A slash at the end of the path and letters in another case are told
// apart from another path, being what is overlooked most.
const (
	OtherScheme Difference = "scheme"
	OtherHost   Difference = "host"
	OtherPort   Difference = "port"
	OtherPath   Difference = "path"
	OtherSlash  Difference = "slash"
	OtherCase   Difference = "case"
	OtherQuery  Difference = "query" // or a fragment
	OtherForm   Difference = "form"  // not an URI, or written in another way
)

// Differences are all of them.
func Differences() []Difference {
	return []Difference{OtherScheme, OtherHost, OtherPort, OtherPath, OtherSlash, OtherCase, OtherQuery, OtherForm}
}

// Refused is a redirect URI that was refused, and what it looks like beside those that
// are registered. Anybody can have any URI refused: that it is here proves nothing.
type Refused struct {
	accounts.RefusedRedirect
	// Nearest is the registered URI that differs least; empty if none is registered.
	Nearest     string
	Differences []Difference // from Nearest
	// Problem is why the URI cannot be registered; nil if it can.
	Problem error
}

// RefusedRedirects returns the redirect URIs of a client that were refused in the last
// 90 days, those that differ least from a registered one first; at most
// accounts.RefusedPerClient. Errors: *Forbidden, accounts.ErrNotFound.
func (a *Admin) RefusedRedirects(ctx context.Context, c *Caller, clientID string) ([]Refused, error) {
	app, err := a.Client(ctx, c, clientID)
	if err != nil {
		return nil, err
	}
	kept, err := a.Refusals.Of(ctx, app)
	if err != nil {
		return nil, err
	}
	var list []Refused
	for _, r := range kept {
		if accounts.MatchRedirectURI(app, r.URI) { // registered since
			continue
		}
		list = append(list, beside(app, r))
	}
	slices.SortStableFunc(list, func(x, y Refused) int { return cmp.Compare(distance(x.Differences), distance(y.Differences)) })
	return list, nil
}

func beside(app *accounts.Client, r accounts.RefusedRedirect) Refused {
	out := Refused{RefusedRedirect: r, Problem: mayRegister(app, r)}
	for _, registered := range app.RedirectURIs {
		found := differences(registered, r.URI)
		if out.Nearest == "" || distance(found) < distance(out.Differences) {
			out.Nearest, out.Differences = registered, found
		}
	}
	return out
}

// mayRegister says why a refused URI cannot be registered. What is registered must be
// all that somebody sees.
func mayRegister(app *accounts.Client, r accounts.RefusedRedirect) error {
	if !r.Whole() {
		return accounts.Because(accounts.ErrInvalid, "not all of this URI is kept")
	}
	return accounts.ValidateRedirectURI(app.Type, r.URI)
}

// differences says in which parts a refused URI is not the registered one.
func differences(registered, refused string) []Difference {
	a, errA := url.Parse(registered)
	b, errB := url.Parse(refused)
	if errA != nil || errB != nil || b.Scheme == "" {
		return []Difference{OtherForm}
	}
	var found []Difference
	add := func(differs bool, d Difference) {
		if differs && !slices.Contains(found, d) {
			found = append(found, d)
		}
	}
	schemeA, _, _ := strings.Cut(registered, ":")
	schemeB, _, _ := strings.Cut(refused, ":")
	add(!strings.EqualFold(schemeA, schemeB), OtherScheme)
	add(!strings.EqualFold(a.Hostname(), b.Hostname()), OtherHost)
	add(a.Port() != b.Port(), OtherPort)
	pathA, pathB := a.Opaque+a.EscapedPath(), b.Opaque+b.EscapedPath()
	trimmedA, trimmedB := strings.TrimRight(pathA, "/"), strings.TrimRight(pathB, "/")
	add(!strings.EqualFold(trimmedA, trimmedB), OtherPath)
	add(strings.EqualFold(trimmedA, trimmedB) && len(pathA)-len(trimmedA) != len(pathB)-len(trimmedB), OtherSlash)
	for _, pair := range [][2]string{{schemeA, schemeB}, {a.Hostname(), b.Hostname()}, {trimmedA, trimmedB}} {
		add(pair[0] != pair[1] && strings.EqualFold(pair[0], pair[1]), OtherCase)
	}
	add(tailOf(registered) != tailOf(refused), OtherQuery)
	add(len(found) == 0, OtherForm) // the bytes differ all the same
	return found
}

// tailOf is the query and the fragment of a URI.
func tailOf(uri string) string {
	if i := strings.IndexAny(uri, "?#"); i >= 0 {
		return uri[i:]
	}
	return ""
}

// distance tells how far apart two URIs are that differ so.
func distance(found []Difference) int {
	weights := map[Difference]int{
		OtherCase: 1, OtherSlash: 1, OtherQuery: 2, OtherPort: 2, OtherScheme: 3, OtherPath: 5, OtherHost: 20, OtherForm: 40,
	}
	sum := 0
	for _, d := range found {
		sum += weights[d]
	}
	return sum
}

// refused finds one of the URIs that were refused.
func (a *Admin) refused(ctx context.Context, app *accounts.Client, uri string) (accounts.RefusedRedirect, error) {
	kept, err := a.Refusals.Of(ctx, app)
	if err != nil {
		return accounts.RefusedRedirect{}, err
	}
	for _, r := range kept {
		if r.URI == uri {
			return r, nil
		}
	}
	return accounts.RefusedRedirect{}, fmt.Errorf("refused redirect URI: %w", accounts.ErrNotFound)
}

// AllowRefused registers a redirect URI that was refused, byte for byte. Errors: those
// of UpdateClient, accounts.ErrNotFound for one that was not refused, and
// accounts.ErrInvalid for one that cannot be registered.
func (a *Admin) AllowRefused(ctx context.Context, c *Caller, clientID, uri string) error {
	app, err := a.changingClient(ctx, c, clientID)
	if err != nil {
		return err
	}
	found, err := a.refused(ctx, app, uri)
	if err != nil {
		return err
	}
	_, err = a.UpdateClient(ctx, c, clientID, func(app *accounts.Client) error {
		if err := mayRegister(app, found); err != nil {
			return err
		}
		if !slices.Contains(app.RedirectURIs, uri) { // the button may be pressed twice
			app.RedirectURIs = append(app.RedirectURIs, uri)
		}
		return nil
	})
	return err
}

// ForgetRefused removes one of the URIs that were refused. Errors: *Forbidden,
// ErrSuperior, accounts.ErrNotFound.
func (a *Admin) ForgetRefused(ctx context.Context, c *Caller, clientID, uri string) error {
	app, err := a.changingClient(ctx, c, clientID)
	if err != nil {
		return err
	}
	if err := c.mayChangeApp(app); err != nil {
		return err
	}
	return a.Refusals.Forget(ctx, c.Actor, app, uri)
}

// changingClient finds a client for somebody who wants to change it.
func (a *Admin) changingClient(ctx context.Context, c *Caller, clientID string) (*accounts.Client, error) {
	if err := c.need(accounts.AdminClientsWrite); err != nil {
		return nil, err
	}
	return a.findClient(ctx, clientID)
}
