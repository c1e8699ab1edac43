package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Server returns a server for addr with every limit set: a client that sends or
// reads slowly, or opens streams only to reset them, holds nothing for long. With
// tlsConfig it speaks TLS, and HTTP/2 by ALPN. Handlers that stream extend their
// own write deadline with http.ResponseController.
func Server(addr string, handler http.Handler, tlsConfig *tls.Config, log *slog.Logger) *http.Server {
	return &http.Server{
		Addr:              addr,
		Handler:           handler,
		TLSConfig:         tlsConfig,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       90 * time.Second,
		// net/http reads 4 KB more than this before it answers 431.
		MaxHeaderBytes: MaxHeader - 4<<10,
		HTTP2:          &http.HTTP2Config{MaxConcurrentStreams: 100},
		// "OPTIONS *" gets the 404 of any odd path, with the front's headers and log line.
		DisableGeneralOptionsHandler: true,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// Run listens on the address of each server, calls ready once all of them listen,
// and serves until ctx ends. Then it takes no new connections and lets requests in
// flight finish for up to grace, after which it cuts them off and returns an
// error. If one server cannot listen, none serves; if one fails later, all stop.
func Run(ctx context.Context, grace time.Duration, ready func(), servers ...*http.Server) error {
	listeners, err := listen(ctx, servers)
	if err != nil {
		return err
	}
	failed := make(chan error, len(servers))
	for i, s := range servers {
		go func() { failed <- serve(s, listeners[i]) }()
	}
	if ready != nil {
		ready()
	}
	var first error
	running := len(servers)
	select {
	case <-ctx.Done():
	case first = <-failed:
		running--
	}
	// ctx has ended; what is in flight gets its time without it.
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	return errors.Join(first, stop(stopCtx, servers), drain(failed, running))
}

func listen(ctx context.Context, servers []*http.Server) ([]net.Listener, error) {
	var config net.ListenConfig
	out := make([]net.Listener, 0, len(servers))
	for _, s := range servers {
		l, err := config.Listen(ctx, "tcp", s.Addr)
		if err != nil {
			for _, open := range out {
				_ = open.Close() // nothing was accepted on it
			}
			return nil, fmt.Errorf("listen on %s: %w", s.Addr, err)
		}
		out = append(out, l)
	}
	return out, nil
}

func serve(s *http.Server, l net.Listener) error {
	var err error
	if s.TLSConfig != nil {
		err = s.ServeTLS(l, "", "")
	} else {
		err = s.Serve(l)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve %s: %w", s.Addr, err)
}

func stop(ctx context.Context, servers []*http.Server) error {
	stopped := make(chan error, len(servers))
	for _, s := range servers {
		go func() {
			err := s.Shutdown(ctx)
			if err != nil {
				err = errors.Join(fmt.Errorf("stop %s with requests in flight: %w", s.Addr, err), s.Close())
			}
			stopped <- err
		}()
	}
	return drain(stopped, len(servers))
}

func drain(results <-chan error, n int) error {
	var all error
	for range n {
		all = errors.Join(all, <-results)
	}
	return all
}
