package sqldb

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// The origins of the redirect URIs of single-page apps stand in a table of their
// own, because a preflight names an origin and no client.
const (
	spaOrigin = `SELECT EXISTS (SELECT 1 FROM client_origins o JOIN clients c ON c.id = o.client_id
WHERE o.origin = $1 AND c.disabled_at = 0)`
	addClientOrigin   = `INSERT INTO client_origins (origin, client_id) VALUES %s`
	dropClientOrigins = `DELETE FROM client_origins WHERE client_id = $1`
)

// SPAOrigin reports whether an enabled client of the type spa has a redirect URI
// of that origin, as browsers write origins.
func (d *DB) SPAOrigin(ctx context.Context, origin string) (bool, error) {
	var known bool
	if err := d.queryRow(ctx, spaOrigin, []any{origin}, &known); err != nil {
		return false, fmt.Errorf("look up origin: %w", err)
	}
	return known, nil
}

func (d *DB) addOrigins(ctx context.Context, c *accounts.Client) error {
	origins := originsOf(c)
	if len(origins) == 0 {
		return nil
	}
	args := []any{c.ID}
	rows := make([]string, len(origins))
	for i, origin := range origins {
		args = append(args, origin)
		rows[i] = fmt.Sprintf("($%d, $1)", i+2)
	}
	_, err := d.exec(ctx, fmt.Sprintf(addClientOrigin, strings.Join(rows, ", ")), args...)
	return err
}

// originsOf returns the origins of a single-page app's redirect URIs, each once:
// scheme and host in lower case, without the scheme's own port (RFC 6454 §6.2).
func originsOf(c *accounts.Client) []string {
	if c.Type != accounts.SPAClient {
		return nil
	}
	var origins []string
	for _, raw := range c.RedirectURIs {
		u, err := url.Parse(raw)
		if err != nil || u.Host == "" {
			continue
		}
		host := strings.ToLower(u.Host)
		for scheme, port := range map[string]string{"https": ":443", "http": ":80"} {
			if u.Scheme == scheme {
				host = strings.TrimSuffix(host, port)
			}
		}
		origins = append(origins, u.Scheme+"://"+host)
	}
	slices.Sort(origins)
	return slices.Compact(origins)
}
