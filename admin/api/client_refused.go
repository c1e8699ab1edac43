package api

import (
	"context"
	"net/http"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/admin"
)

// RefusedRedirect is a redirect URI that an app was refused.
type RefusedRedirect struct {
	URI         string     `json:"uri" doc:"As it was sent, without query, fragment and user information; … stands where something was left out."`
	Count       int64      `json:"count"`
	FirstAt     *time.Time `json:"first_at,omitempty"`
	LastAt      *time.Time `json:"last_at,omitempty"`
	Nearest     string     `json:"nearest,omitempty" doc:"The registered redirect URI that is most like it."`
	Differences []string   `json:"differences" nullable:"false" doc:"In which parts it is not that one: scheme, host, port, path, slash (at the end of the path), case, query, form."`
	Problem     string     `json:"problem,omitempty" doc:"Why it cannot be registered; missing if it can."`
}

func refusedOf(list []admin.Refused) []RefusedRedirect {
	out := make([]RefusedRedirect, len(list))
	for i, r := range list {
		out[i] = RefusedRedirect{
			URI: r.URI, Count: r.Count, FirstAt: timeOf(r.FirstAt), LastAt: timeOf(r.LastAt), Nearest: r.Nearest, Differences: []string{},
		}
		for _, d := range r.Differences {
			out[i].Differences = append(out[i].Differences, string(d))
		}
		if r.Problem != nil {
			out[i].Problem = r.Problem.Error()
		}
	}
	return out
}

func (s *surface) clientRefusals() {
	register(s, Route{
		ID: "listRefusedRedirects", Method: http.MethodGet, Path: "/clients/{client}/refused-redirects", Tag: tagClients,
		Permission: accounts.AdminClientsRead, Summary: "List redirect URIs that an app was refused",
		Details: "Of the last 90 days, at most 20, those most like a registered one first. Anybody can have any URI refused in the name " +
			"of an app: that it is here proves nothing.",
	}, func(ctx context.Context, c *admin.Caller, in *ClientPath) (*List[RefusedRedirect], error) {
		clientID, err := fromSegment(in.Client)
		if err != nil {
			return nil, err
		}
		found, err := s.Admin.RefusedRedirects(ctx, c, clientID)
		if err != nil {
			return nil, err
		}
		return page(s, ctx, refusedOf(found), nil)
	})
}
