package main

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificateEvery is how often the files are looked at, at most.
const certificateEvery = 10 * time.Second

// certificate is a key pair in files that others renew.
type certificate struct {
	cert, key string
	log       *slog.Logger
	now       func() time.Time

	mu     sync.Mutex
	pair   *tls.Certificate
	looked time.Time
	stamp  string // sizes and times of the files that pair is from
}

// newTLS returns settings whose certificate follows its files.
func newTLS(cert, key string, log *slog.Logger, now func() time.Time) (*tls.Config, error) {
	c := &certificate{cert: cert, key: key, log: log, now: now}
	if err := c.load(); err != nil {
		return nil, fmt.Errorf("certificate: %w", err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}, nil
}

// get implements tls.Config.GetCertificate. Files that cannot be read, or do not
// belong together because they are being replaced, leave the old pair in use.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now().Sub(c.looked) >= certificateEvery {
		if err := c.load(); err != nil {
			c.log.Warn("the renewed certificate cannot be used; the old one goes on", "error", err)
		}
	}
	return c.pair, nil
}

func (c *certificate) load() error {
	c.looked = c.now()
	stamp := ""
	for _, path := range []string{c.cert, c.key} {
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		stamp += fmt.Sprint(info.Size(), info.ModTime().UnixNano(), " ")
	}
	if stamp == c.stamp {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return err
	}
	c.pair, c.stamp = &pair, stamp
	return nil
}
