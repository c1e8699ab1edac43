package main

import (
	"fmt"
	"net"
	"net/http"
	"time"
)

type healthcheckCommand struct{}

// Run asks the server of this machine whether it can serve: for containers, whose
// image has nothing else to ask with.
func (healthcheckCommand) Run(c *call) error {
	cfg, err := c.config()
	if err != nil {
		return err
	}
	if cfg.TLSCert != "" {
		return fmt.Errorf("healthcheck asks without TLS; let the front proxy ask %s", pathReady)
	}
	host, port, err := net.SplitHostPort(cfg.Listen)
	if err != nil {
		return err
	}
	if ip := net.ParseIP(host); host == "" || host == "localhost" || ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 3 * time.Second}
	req, err := http.NewRequestWithContext(c.ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+pathReady, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("not reachable: %w", err)
	}
	if err := resp.Body.Close(); err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("not ready: %s", resp.Status)
	}
	return c.done("ready")
}
