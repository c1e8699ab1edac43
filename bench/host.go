package main

import (
	"errors"
	"fmt"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

// host stands for the test that testenv starts servers for: it keeps what has to
// be done at the end, and fails by a panic that external turns into an error.
type host struct {
	testing.TB // nothing else is asked of it
	cleanups   []func()
	errs       []error
}

// hostFailure is what Fatalf panics with.
type hostFailure struct{ error }

// Helper implements testing.TB.
func (*host) Helper() {}

// Cleanup implements testing.TB.
func (h *host) Cleanup(f func()) { h.cleanups = append(h.cleanups, f) }

// Errorf implements testing.TB.
func (h *host) Errorf(format string, args ...any) {
	h.errs = append(h.errs, fmt.Errorf(format, args...))
}

// Fatalf implements testing.TB.
func (*host) Fatalf(format string, args ...any) { panic(hostFailure{fmt.Errorf(format, args...)}) }

// close gives everything back.
func (h *host) close() error {
	for len(h.cleanups) > 0 {
		last := h.cleanups[len(h.cleanups)-1]
		h.cleanups = h.cleanups[:len(h.cleanups)-1]
		last()
	}
	return errors.Join(h.errs...)
}

// external returns the URLs of an empty database of PostgreSQL and of Redis, or
// why there is none.
func (h *host) external() (database, redis string, err error) {
	defer func() {
		switch failure := recover().(type) {
		case nil:
		case hostFailure:
			err = failure.error
		default:
			panic(failure)
		}
	}()
	return testenv.Postgres(h), testenv.Redis(h), nil
}
