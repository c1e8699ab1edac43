package main

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/resource"
)

// verification measures what a resource server pays for each request.
func verification(ctx context.Context, b *bench) error {
	t := &table{
		title: "Verifying a token (ES256, eleven keys)",
		note:  "Package resource, one processor. Not seen before: the signature is verified and the claims are read. Seen before: time, key and the set are asked. The best of five rounds.",
		head:  []string{"verifier", "not seen before", "seen before", "allocations when seen"},
	}
	f, err := feign(b.held)
	if err != nil {
		return err
	}
	defer f.close()
	for _, v := range []struct {
		name   string
		follow bool
		rows   int
	}{{"offline, without the set", false, 0}, {"with the set, empty", true, 0}, {fmt.Sprintf("with the set, %s rows", count(b.held)), true, b.held}} {
		b.note("verify: %s", v.name)
		f.send = v.rows
		cfg := resource.Config{Issuer: f.issuer, Audience: audience}
		if v.follow {
			cfg.ClientID, cfg.ClientSecret, cfg.Stale = "api", "secret", resource.Deny
		}
		verifier, err := resource.New(cfg)
		if err != nil {
			return err
		}
		row, err := b.verify(ctx, f, verifier)
		verifier.Close()
		if err != nil {
			return err
		}
		t.add(append([]string{v.name}, row...)...)
	}
	b.print(t)
	return nil
}

// verify measures one verifier.
func (b *bench) verify(ctx context.Context, f *feigned, v *resource.Verifier) ([]string, error) {
	if err := v.Ready(ctx); err != nil {
		return nil, err
	}
	raws := make([]string, rounds*b.tokens+1)
	for i := range raws {
		var err error
		if raws[i], err = f.sign(); err != nil {
			return nil, err
		}
	}
	var failed error
	check := func(raw string) {
		if _, err := v.Verify(ctx, raw); err != nil {
			failed = err
		}
	}
	check(raws[0]) // fetches the keys
	cold, warm := time.Hour, time.Hour
	for round := range rounds {
		began := time.Now()
		for _, raw := range raws[1+round*b.tokens:][:b.tokens] {
			check(raw)
		}
		cold = min(cold, time.Since(began)/time.Duration(b.tokens))
		n := 0
		for began = time.Now(); time.Since(began) < b.patience; n += 100 {
			for range 100 {
				check(raws[0])
			}
		}
		warm = min(warm, time.Since(began)/time.Duration(n))
	}
	allocations := testing.AllocsPerRun(1000, func() { check(raws[0]) })
	return []string{span(cold), span(warm), fmt.Sprint(allocations)}, failed
}
