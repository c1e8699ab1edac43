package sqldb

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/signals"
)

// receiver makes a client that holds permissions of a built-in API, and its stream.
func receiver(t *testing.T, d *DB, name string, permissions ...string) *signals.Stream {
	t.Helper()
	ctx := t.Context()
	for _, p := range []string{"signals:manage", "signals:all"} {
		a := &accounts.API{ID: id.New(), Audience: "https://" + p[8:] + ".example", Name: p}
		if err := d.InsertAPI(ctx, a); errors.Is(err, accounts.ErrConflict) {
			continue
		} else if err != nil {
			t.Fatal(err)
		}
		if err := d.InsertPermission(ctx, &accounts.Permission{ID: id.New(), APIID: a.ID, Name: p, Description: p}); err != nil {
			t.Fatal(err)
		}
	}
	c := &accounts.Client{
		ID: id.New(), ClientID: name, Name: name, Type: accounts.MachineClient, AuthMethod: accounts.AuthSecret,
		GrantTypes: []string{accounts.GrantClientCredentials}, Permissions: permissions, IDTokenAlgorithm: "RS256",
	}
	if err := d.InsertClient(ctx, c); err != nil {
		t.Fatal(err)
	}
	s := &signals.Stream{
		ID: id.New(), ClientID: name, Method: signals.Push, Endpoint: "https://" + name + ".example/events", Sealed: []byte{1, 0, 2},
		Requested: []string{"a", "b"}, Description: "d", Status: signals.Enabled, CreatedAt: 5, UpdatedAt: 6,
		Live: slices.Contains(permissions, "signals:manage"), Every: slices.Contains(permissions, "signals:all"),
	}
	if err := d.InsertStream(ctx, s); err != nil {
		t.Fatal(err)
	}
	return s
}

func event(s *signals.Stream, jti string, at int64) signals.Event {
	return signals.Event{StreamID: s.ID, JTI: jti, ID: id.New(), Claims: []byte(`{"jti":"` + jti + `"}`), CreatedAt: at}
}

func TestSignalStreams(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		ctx, d := t.Context(), open(t)
		a := receiver(t, d, "a", "signals:manage")
		b := receiver(t, d, "b", "signals:manage", "signals:all")
		receiver(t, d, "c") // may not receive
		if err := d.InsertStream(ctx, &signals.Stream{ID: id.New(), ClientID: "a"}); !errors.Is(err, accounts.ErrConflict) {
			t.Errorf("a second stream: %v", err)
		}
		if err := d.InsertStream(ctx, &signals.Stream{ID: id.New(), ClientID: "nobody"}); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("a stream of nobody: %v", err)
		}
		for _, want := range []*signals.Stream{a, b} {
			for _, read := range []func() (*signals.Stream, error){
				func() (*signals.Stream, error) { return d.StreamOf(ctx, want.ClientID) },
				func() (*signals.Stream, error) { return d.StreamByID(ctx, want.ID) },
			} {
				got, err := read()
				if diff := cmp.Diff(want, got); err != nil || diff != "" {
					t.Error(err, diff)
				}
			}
		}
		listeners, err := d.ListeningStreams(ctx)
		if diff := cmp.Diff([]signals.Stream{*a, *b}, listeners); err != nil || diff != "" {
			t.Error(err, diff)
		}
		if _, err := d.LockStreams(ctx, []id.ID{a.ID}); !errors.Is(err, errLockOutsideTx) {
			t.Errorf("lock outside a transaction: %v", err)
		}
		err = d.InTx(ctx, func(ctx context.Context) error {
			locked, err := d.LockStreams(ctx, []id.ID{b.ID, id.New(), a.ID})
			if diff := cmp.Diff([]signals.Stream{*a, *b}, locked); diff != "" {
				t.Error(diff)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

func TestSignalStreams_Change(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		ctx, d := t.Context(), open(t)
		a := receiver(t, d, "a", "signals:manage")
		receiver(t, d, "b", "signals:manage")
		a.Method, a.Endpoint, a.Sealed, a.Requested, a.Description = signals.Poll, "", nil, nil, ""
		a.Status, a.Reason, a.UpdatedAt = signals.Disabled, "tired", 9
		if err := d.UpdateStream(ctx, a); err != nil {
			t.Error(err)
		}
		got, err := d.StreamByID(ctx, a.ID)
		if diff := cmp.Diff(a, got); err != nil || diff != "" {
			t.Error(err, diff)
		}
		listeners, err := d.ListeningStreams(ctx)
		if len(listeners) != 1 || err != nil {
			t.Errorf("a disabled stream listens: %v, %v", listeners, err)
		}
		if err := errors.Join(d.InsertEvents(ctx, []signals.Event{event(a, "1", 1)}), d.DeleteStream(ctx, a.ID)); err != nil {
			t.Error(err)
		}
		if _, err := d.StreamByID(ctx, a.ID); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("a deleted stream: %v", err)
		}
		if err := d.DeleteStream(ctx, a.ID); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("deleted twice: %v", err)
		}
	})
}

// TestSignalStreams_ClientEnds: what a client may receive is what it may now.
func TestSignalStreams_ClientEnds(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		ctx, d := t.Context(), open(t)
		s := receiver(t, d, "a", "signals:manage", "signals:all")
		c, _, err := d.ClientByID(ctx, "a", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			change      func()
			live, every bool
		}{
			{func() { c.Permissions = []string{"signals:manage"} }, true, false},
			{func() { c.DisabledAt = 1 }, false, false},
			{func() { c.DisabledAt = 0 }, true, false},
			{func() { c.Permissions = []string{"signals:all"} }, false, true},
		} {
			step.change()
			if err := d.UpdateClient(ctx, c); err != nil {
				t.Fatal(err)
			}
			got, err := d.StreamByID(ctx, s.ID)
			if err != nil || got.Live != step.live || got.Every != step.every {
				t.Errorf("%v: %+v, %v", c.Permissions, got, err)
			}
		}
		if err := d.DeleteClient(ctx, c.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := d.StreamByID(ctx, s.ID); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("the stream of a deleted client: %v", err)
		}
	})
}

func TestSignalSubjects(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		ctx, d := t.Context(), open(t)
		s := receiver(t, d, "a", "signals:manage")
		put := func(sub, sid string, included bool) signals.Listed {
			l := signals.Listed{StreamID: s.ID, Subject: signals.Subject{Sub: sub, Session: sid}, Included: included}
			if err := d.PutSubject(ctx, l, 7); err != nil {
				t.Fatal(err)
			}
			return l
		}
		put("x", "", true)
		want := []signals.Listed{put("x", "", false), put("x", "s", true)}
		put("y", "", true)
		listed, err := d.ListedSubjects(ctx, []string{"x", "z"})
		slices.SortFunc(listed, func(a, b signals.Listed) int { return len(a.Session) - len(b.Session) })
		if diff := cmp.Diff(want, listed); err != nil || diff != "" {
			t.Error(err, diff)
		}
		if n, err := d.CountSubjects(ctx, s.ID); n != 3 || err != nil {
			t.Errorf("%d subjects, %v", n, err)
		}
		for range 2 { // what is not there is gone already
			if err := d.DropSubject(ctx, s.ID, signals.Subject{Sub: "x"}); err != nil {
				t.Error(err)
			}
		}
		if n, err := d.CountSubjects(ctx, s.ID); n != 2 || err != nil {
			t.Errorf("%d subjects, %v", n, err)
		}
		if err := d.ForgetSubjects(ctx, []string{"y", "z"}); err != nil {
			t.Error(err)
		}
		if listed, err := d.ListedSubjects(ctx, []string{"x", "y"}); len(listed) != 1 || listed[0].Sub != "x" || err != nil {
			t.Errorf("after one was forgotten: %v, %v", listed, err)
		}
		owners, err := d.SessionSubjects(ctx, []id.ID{id.New()})
		if len(owners) != 0 || err != nil {
			t.Errorf("owner of no session: %v, %v", owners, err)
		}
	})
}

func TestSignalEvents(t *testing.T) {
	onBoth(t, func(t *testing.T, open opener) {
		ctx, d := t.Context(), open(t)
		s, other := receiver(t, d, "a", "signals:manage"), receiver(t, d, "b", "signals:manage")
		first, second, third := event(s, "1", 10), event(s, "2", 20), event(s, "3", 30)
		second.Announces = true
		again := first
		again.ID, again.Claims = id.New(), []byte("{}")
		if err := d.InsertEvents(ctx, []signals.Event{first, second, third, again, event(other, "1", 10)}); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			all   bool
			limit int
			want  []signals.Event
		}{
			{true, 10, []signals.Event{first, second, third}},
			{true, 2, []signals.Event{first, second}},
			{false, 10, []signals.Event{second}},
		} {
			got, err := d.WaitingEvents(ctx, s.ID, c.all, c.limit)
			if diff := cmp.Diff(c.want, got); err != nil || diff != "" {
				t.Error(err, diff)
			}
		}
		counts, err := d.CountEvents(ctx, []id.ID{s.ID, other.ID, id.New()})
		if diff := cmp.Diff(map[id.ID]int{s.ID: 3, other.ID: 1}, counts); err != nil || diff != "" {
			t.Error(err, diff)
		}
		if n, err := d.DropEvents(ctx, s.ID, []string{"3", "9"}); n != 1 || err != nil {
			t.Errorf("dropped %d, %v", n, err)
		}
		overdue, err := d.OverdueStreams(ctx, 11)
		if len(overdue) != 2 || err != nil {
			t.Errorf("overdue: %v, %v", overdue, err)
		}
		if n, err := d.DropOlder(ctx, s.ID, 20); n != 1 || err != nil {
			t.Errorf("dropped %d, %v", n, err)
		}
		if got, err := d.WaitingEvents(ctx, other.ID, true, 5); len(got) != 1 || err != nil {
			t.Errorf("of the other stream: %v, %v", got, err)
		}
	})
}
