package admin

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// standings is a CallerStore.
type standings map[string]*Standing

func (s standings) find(name string) (*Standing, error) {
	if name == "broken" {
		return nil, errors.New("no database")
	}
	if found, is := s[name]; is {
		return found, nil
	}
	return nil, fmt.Errorf("standing: %w", accounts.ErrNotFound)
}

func (s standings) PersonStanding(_ context.Context, subject string, _ int64) (*Standing, error) {
	return s.find(subject)
}

func (s standings) MachineStanding(_ context.Context, client string) (*Standing, error) {
	return s.find(client)
}

func TestCallers(t *testing.T) {
	c := &Callers{Now: time.Now, Store: standings{
		"ada": {Name: "Ada", Active: true, Staff: true, Held: []string{"posts:add", accounts.AdminUsersRead}},
		"bob": {Name: "Bob", Held: []string{accounts.AdminUsersRead}},
		"m":   {Name: "Machine", Active: true, Superuser: true, Staff: true, Held: []string{accounts.AdminUsersRead}},
	}}
	ctx := t.Context()
	ada, err := c.Person(ctx, "ada", "app", []string{"openid"})
	if err != nil || ada.Actor != (audit.Actor{Kind: audit.Person, ID: "ada", Name: "Ada"}) || ada.Subject != "ada" || ada.ClientID != "app" ||
		ada.May(accounts.AdminUsersRead) || !ada.Staff {
		t.Errorf("%+v, %v", ada, err)
	}
	if ada, err = c.Person(ctx, "ada", "", nil); err != nil || !ada.May(accounts.AdminUsersRead) || ada.May(accounts.AdminUsersWrite) {
		t.Errorf("in the console: %+v, %v", ada, err)
	}
	// A token without any scope allows nothing; it is not the console.
	if ada, err = c.Person(ctx, "ada", "app", []string{}); err != nil || ada.May(accounts.AdminUsersRead) {
		t.Errorf("no scope: %+v, %v", ada, err)
	}
	m, err := c.Machine(ctx, "m", []string{accounts.AdminUsersRead, accounts.AdminUsersWrite})
	if err != nil || m.Superuser || m.Staff || !m.May(accounts.AdminUsersRead) || m.May(accounts.AdminUsersWrite) || m.Actor.Kind != audit.Client {
		t.Errorf("%+v, %v", m, err)
	}
	for _, gone := range []string{"bob", "nobody"} {
		if _, err := c.Person(ctx, gone, "", nil); !errors.Is(err, ErrNoCaller) {
			t.Errorf("%s: %v", gone, err)
		}
		if _, err := c.Machine(ctx, gone, nil); !errors.Is(err, ErrNoCaller) {
			t.Errorf("machine %s: %v", gone, err)
		}
	}
	if _, err := c.Person(ctx, "broken", "", nil); err == nil || errors.Is(err, ErrNoCaller) {
		t.Errorf("broken: %v", err)
	}
}

func TestAuthority(t *testing.T) {
	all := accounts.AdminPermissions()
	set := setOf
	holder := &Caller{Held: set([]string{"posts:add", accounts.AdminUsersWrite})}
	narrowed := &Caller{Held: set([]string{"posts:add", accounts.AdminUsersWrite, accounts.AdminKeysWrite}), Scope: set([]string{accounts.AdminUsersWrite})}
	super := &Caller{Superuser: true}
	full := &Caller{Superuser: true, Scope: set(all)}
	narrow := &Caller{Superuser: true, Scope: set([]string{accounts.AdminUsersWrite})}
	everything := &Caller{Held: set(all)}
	for name, who := range map[string]struct {
		*Caller
		supreme                       bool
		keys, posts, photos           bool // may give
		overKeys, overPosts, overSupr bool // may take over
	}{
		"holder":                        {holder, false, false, true, false, false, true, false},
		"narrowed":                      {narrowed, false, false, true, false, false, true, false},
		"superuser in the console":      {super, true, true, true, true, true, true, true},
		"superuser with a full token":   {full, true, true, true, true, true, true, true},
		"superuser, narrow token":       {narrow, false, false, true, true, false, true, false},
		"all permissions, no superuser": {everything, false, true, false, false, true, false, false},
	} {
		if got := who.mayCrown() == nil; got != who.supreme {
			t.Errorf("%s: supreme %v", name, got)
		}
		for permission, want := range map[string]bool{accounts.AdminKeysWrite: who.keys, "posts:add": who.posts, "photos:add": who.photos} {
			if err := who.mayGive([]string{permission}); (err == nil) != want || err != nil && !errors.Is(err, ErrMoreThanHeld) {
				t.Errorf("%s gives %s: %v", name, permission, err)
			}
		}
		for permission, want := range map[string]bool{accounts.AdminKeysWrite: who.overKeys, "posts:add": who.overPosts} {
			if err := who.mayTakeOver(false, []string{permission}); (err == nil) != want || err != nil && !errors.Is(err, ErrSuperior) {
				t.Errorf("%s over %s: %v", name, permission, err)
			}
		}
		if err := who.mayTakeOver(true, nil); (err == nil) != who.overSupr {
			t.Errorf("%s over a superuser: %v", name, err)
		}
		if err := who.mayTouch(true, nil); (err == nil) != who.overSupr {
			t.Errorf("%s touches a superuser: %v", name, err)
		}
		if err := who.mayTouch(false, []string{accounts.AdminKeysWrite}); (err == nil) != who.overKeys {
			t.Errorf("%s touches who holds keys: %v", name, err)
		}
		if err := who.mayTouch(false, []string{"photos:add"}); err != nil {
			t.Errorf("%s touches a photographer: %v", name, err)
		}
	}
	var forbidden *Forbidden
	if err := holder.need(accounts.AdminKeysWrite); !errors.As(err, &forbidden) || forbidden.Permission != accounts.AdminKeysWrite {
		t.Errorf("need: %v", err)
	}
}
