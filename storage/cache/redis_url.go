package cache

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// parseURL reads the URL forms of RedisOptions. It takes the host list out before
// net/url sees the rest, since net/url knows one host; and no error repeats a part
// of the URL that may hold a password.
func parseURL(raw string) (*redis.UniversalOptions, error) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok {
		return nil, errors.New("it must begin with redis://, rediss://, redis+sentinel:// or redis+cluster://")
	}
	base, kind, _ := strings.Cut(scheme, "+")
	if base != "redis" && base != "rediss" || kind != "" && kind != "sentinel" && kind != "cluster" {
		return nil, errors.New("its scheme is none of redis, rediss, redis+sentinel, redis+cluster and their rediss forms")
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	at := strings.LastIndexByte(authority, '@')
	u, err := url.Parse("redis://" + authority[:at+1] + "host" + tail)
	if err != nil || u.Fragment != "" {
		return nil, errors.New("it cannot be read; user and password must be percent-encoded")
	}
	opts := &redis.UniversalOptions{IsClusterMode: kind == "cluster"}
	opts.Username = u.User.Username()
	opts.Password, _ = u.User.Password()
	port := "6379"
	if kind == "sentinel" {
		port = "26379"
	}
	if opts.Addrs, err = parseHosts(authority[at+1:], port); err != nil {
		return nil, err
	}
	if kind == "" && len(opts.Addrs) > 1 {
		return nil, errors.New("it names several hosts: use redis+sentinel:// or redis+cluster://")
	}
	if base == "rediss" {
		opts.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		if kind == "" {
			opts.TLSConfig.ServerName, _, _ = net.SplitHostPort(opts.Addrs[0]) // parseHosts has joined it
		}
	}
	return opts, parseTail(opts, kind, u)
}

// parseHosts reads host[:port],host[:port],...
func parseHosts(list, port string) ([]string, error) {
	var out []string
	for _, s := range strings.Split(list, ",") {
		u, err := url.Parse("redis://" + s)
		// Colons belong between brackets or before the port, which net/url does not insist on.
		colons := u != nil && strings.Contains(u.Hostname(), ":") && s[0] != '['
		if err != nil || u.Hostname() == "" || u.Host != s || colons {
			return nil, errors.New("a host in it cannot be read")
		}
		p := u.Port()
		if p == "" {
			p = port
		}
		out = append(out, net.JoinHostPort(u.Hostname(), p))
	}
	return out, nil
}

// parseTail reads the path and the query.
func parseTail(opts *redis.UniversalOptions, kind string, u *url.URL) error {
	var parts []string
	if path := strings.Trim(u.Path, "/"); path != "" {
		parts = strings.Split(path, "/")
	}
	if kind == "sentinel" {
		if len(parts) == 0 {
			return errors.New("the name of the sentinels' master is missing: redis+sentinel://host/master")
		}
		opts.MasterName, parts = parts[0], parts[1:]
	}
	if kind == "cluster" && len(parts) > 0 || len(parts) > 1 {
		return errors.New("its path is too long")
	}
	if len(parts) == 1 {
		db, err := strconv.Atoi(parts[0])
		if err != nil || db < 0 {
			return errors.New("its database is not a number")
		}
		opts.DB = db
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return errors.New("its query cannot be read")
	}
	for name := range query {
		switch {
		case kind == "sentinel" && name == "sentinel_username":
			opts.SentinelUsername = query.Get(name)
		case kind == "sentinel" && name == "sentinel_password":
			opts.SentinelPassword = query.Get(name)
		default:
			return fmt.Errorf("it has an unknown option %q", name)
		}
	}
	return nil
}

// configure sets what every kind of client has in common.
func configure(o *redis.UniversalOptions, timeout time.Duration) {
	o.ContextTimeoutEnabled = true
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout, o.PoolTimeout = timeout, timeout, timeout, timeout
	o.DialerRetries = 1
	// One retry, for a connection that died while it was idle. A spend that is
	// counted twice for it errs on the safe side; a negative one stops at the burst.
	o.MaxRetries = 1
	o.DisableIdentity = true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	o.ReadBufferSize, o.WriteBufferSize = 8<<10, 8<<10 // 32 KB each by default, for every connection
	o.PipelinePoolSize = -1
}
