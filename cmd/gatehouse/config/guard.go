package config

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// Guard is the settings of `gatehouse guard`. Of the others it reads the issuer,
// where to listen, TLS and the log's.
type Guard struct {
	Audience     string
	ClientID     string
	ClientSecret secret.Text
	Stale        string   // "introspect", "deny" or "allow"
	Upstream     *url.URL // nil for none; with a host, without user, query and fragment
	Permissions  []string
	Login        string // "required" or "optional"
	KeepToken    bool
}

// GuardFlags are the same as the command line gives them.
type GuardFlags struct {
	Audience         string `name:"audience" placeholder:"URI" help:"Audience of the API that is guarded."`
	ClientID         string `name:"client-id" placeholder:"ID" help:"The API's own client, as api create has shown it."`
	ClientSecretFile string `name:"client-secret-file" placeholder:"FILE" help:"File that holds the client's secret."`
	Stale            string `name:"stale" placeholder:"introspect|deny|allow" help:"What to do while revocations are not known to be complete (introspect)."`
	Upstream         string `name:"upstream" placeholder:"URL" help:"Be the proxy before this server, instead of answering proxies."`
	Permissions      string `name:"permissions" placeholder:"LIST" help:"With upstream: what each request's token must carry, with commas (none)."`
	Login            string `name:"login" placeholder:"required|optional" help:"With upstream: whether requests without a token pass, as nobody (required)."`
	KeepToken        bool   `name:"keep-token" help:"With upstream: let it have the token as well."`
}

// keepToken is the flag as a setting's value.
func (f GuardFlags) keepToken() string {
	if f.KeepToken {
		return "true"
	}
	return ""
}

func (c *Config) setGuardKeepToken(v string) (err error) {
	if c.Guard.KeepToken, err = strconv.ParseBool(v); err != nil {
		return fmt.Errorf("%q is neither true nor false", v)
	}
	return nil
}

func (c *Config) setGuardUpstream(v string) error {
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" ||
		u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("write a URL such as http://127.0.0.1:9000, without user, query and fragment")
	}
	c.Guard.Upstream = u
	return nil
}
