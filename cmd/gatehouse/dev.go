package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/config"
	"github.com/gatehouse-id/gatehouse/examples/posts"
	"github.com/gatehouse-id/gatehouse/examples/webapp"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/resource"
)

type devCommand struct{}

// Run starts Gatehouse, the demo app and the demo API, all on loopback, and keeps
// what they need in the data folder.
func (devCommand) Run(c *call) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	if err := cfg.CheckDev(); err != nil {
		return err
	}
	if err := cfg.EnsureFolder(); err != nil { // the demo app's secret is kept there
		return err
	}
	cfg.OutboundPrivate = true // whatever an app of somebody's own says, it is on this machine
	cfg.Dev = true
	log := c.newLogger(cfg, "text")
	d, err := openDomain(c.ctx, cfg, log, c.now, true)
	if err != nil {
		return err
	}
	defer d.close()
	if d.unfit != nil {
		return d.unfit
	}
	made, err := d.ensureDemo(c.ctx)
	if err != nil {
		return err
	}
	a, err := newApp(d)
	if err != nil {
		return err
	}
	verifier, err := demoVerifier(cfg, made, log)
	if err != nil {
		return err
	}
	defer verifier.Close()
	beside, err := demoServers(c.ctx, cfg, made, verifier, log)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancelCause(c.ctx)
	defer stop(nil)
	ready := func() {
		if err := c.announce(ctx, cfg); err != nil {
			stop(err)
		}
	}
	if err := a.run(ctx, ready, beside...); err != nil {
		return err
	}
	if cause := context.Cause(ctx); c.ctx.Err() == nil && cause != nil {
		return cause
	}
	return nil
}

// demoVerifier checks the demo API's tokens, and follows what is taken back.
func demoVerifier(cfg *config.Config, made *demo, log *slog.Logger) (*resource.Verifier, error) {
	verifier, err := resource.New(resource.Config{
		Issuer: cfg.Issuer.String(), Audience: made.API, MetadataURL: made.API + posts.MetadataPath,
		ClientID: made.apiClientID, ClientSecret: made.apiSecret.Reveal(),
		ScopesSupported: []string{posts.PermissionAdd, posts.PermissionDelete}, Logger: log,
	})
	if err != nil {
		return nil, fmt.Errorf("demo API: %w", err)
	}
	return verifier, nil
}

// demoServers are those of the demo app and of the demo API.
func demoServers(ctx context.Context, cfg *config.Config, made *demo, verifier *resource.Verifier, log *slog.Logger) ([]*http.Server, error) {
	app, err := webapp.New(webapp.Config{
		Issuer: cfg.Issuer.String(), ClientID: made.ClientID, ClientSecret: made.secret.Reveal(),
		URL: made.App, API: made.API, Log: log,
	})
	if err != nil {
		return nil, fmt.Errorf("demo app: %w", err)
	}
	var servers []*http.Server
	for port, handler := range map[int]http.Handler{cfg.DemoAppPort: app, cfg.DemoAPIPort: posts.New(verifier, log)} {
		for _, addr := range addresses(ctx, net.JoinHostPort("localhost", strconv.Itoa(port))) {
			servers = append(servers, web.Server(addr, handler, nil, log))
		}
	}
	return servers, nil
}

type devAnswer struct {
	Issuer   string        `json:"issuer"`
	App      string        `json:"app"`
	API      string        `json:"api"`
	Password string        `json:"password"`
	Accounts []demoAccount `json:"accounts"`
	Data     string        `json:"data_dir"`
}

// announce waits until all three answer and says where they are. The last line is
// "ready".
func (c *call) announce(ctx context.Context, cfg *config.Config) error {
	app, api := demoURLs(cfg)
	group, waiting := errgroup.WithContext(ctx)
	for _, address := range []string{"http://" + dialable(cfg.Listen) + pathReady, app + webapp.HomePath, api + "/"} {
		group.Go(func() error { return awaitAnswer(waiting, address) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	a := devAnswer{
		Issuer: cfg.Issuer.String(), App: app, API: api, Password: demoPassword.Reveal(), Accounts: demoAccounts(), Data: cfg.DataDir,
	}
	err := c.answer(a, func(w io.Writer) {
		table(
			w, []string{"Gatehouse", a.Issuer}, []string{"Demo app", a.App, "begin here"},
			[]string{"Posts API", a.API}, []string{"Data", a.Data},
		)
		_, _ = fmt.Fprintf(w, "\nAccounts, all with the password %s:\n", a.Password)
		rows := make([][]string, len(a.Accounts))
		for i, one := range a.Accounts {
			rows[i] = []string{"  " + one.Username, one.Email, one.About}
		}
		table(w, rows...)
		_, _ = fmt.Fprintln(w)
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.stdout, "ready")
	return err
}

// dialable is where to reach a listener of ours.
func dialable(listen string) string {
	if host, port, err := net.SplitHostPort(listen); err == nil && host == "localhost" {
		return net.JoinHostPort("127.0.0.1", port)
	}
	return listen
}

// awaitAnswer asks until it gets a good answer, for some seconds.
func awaitAnswer(ctx context.Context, address string) error {
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		err := ask(ctx, address)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w", address, err)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func ask(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	// Not the default client: a proxy from the environment has no way to loopback.
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}
