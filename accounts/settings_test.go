package accounts_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/storage/sqldb/sqldbtest"
)

// settingRules can keep three settings: a pinned one, and two that go together only if
// both are kept or neither is. Values are kept in lower case.
type settingRules struct{}

// Settings implements accounts.SettingRules.
func (settingRules) Settings(kept map[string]string) ([]accounts.Setting, error) {
	list := []accounts.Setting{
		{Name: "pinned", Value: "given", Origin: accounts.SettingFromVariable, Kept: kept["pinned"]},
		{Name: "version", Origin: accounts.SettingFromDatabase, Kept: strings.ToLower(kept["version"])},
		{Name: "url", Origin: accounts.SettingFromDatabase, Kept: strings.ToLower(kept["url"])},
	}
	if (kept["version"] == "") != (kept["url"] == "") {
		return list, fmt.Errorf("%w: version and url go together", accounts.ErrInvalid)
	}
	return list, nil
}

func keeperIn(w *world) *accounts.SettingsKeeper {
	return &accounts.SettingsKeeper{Journal: w.users.Journal, Store: w.db, Rules: settingRules{}}
}

// TestSettingsKeeper: settings change together or not at all, and each change is one
// event.
func TestSettingsKeeper(t *testing.T) {
	w, ctx := newWorld(t), t.Context()
	k := keeperIn(w)
	stale := errors.New("stale")
	for _, step := range []struct {
		name    string
		values  map[string]string
		match   error
		changed string
		wants   error
	}{
		{name: "one alone", values: map[string]string{"version": "A"}, wants: accounts.ErrInvalid},
		{name: "both", values: map[string]string{"version": "A", "url": "HTTPS://x"}, changed: "url version"},
		{name: "the same", values: map[string]string{"version": "a", "url": "https://X"}},
		{name: "another", values: map[string]string{"version": "b"}, changed: "version"},
		{name: "seen otherwise", values: map[string]string{"version": "c"}, match: stale, wants: stale},
		{name: "unknown", values: map[string]string{"version": "c", "issuer": "x"}, wants: accounts.ErrInvalid},
		{name: "pinned", values: map[string]string{"version": "c", "pinned": "x"}, wants: accounts.ErrPinned},
		{name: "a pinned one forgotten", values: map[string]string{"pinned": ""}},
		{name: "forgotten alone", values: map[string]string{"url": ""}, wants: accounts.ErrInvalid},
		{name: "forgotten", values: map[string]string{"url": "", "version": ""}, changed: "url version"},
	} {
		before, err := w.db.Change(ctx)
		w.must(err)
		changed, err := k.Change(ctx, operator(), step.values, func([]accounts.Setting) error { return step.match })
		if !errors.Is(err, step.wants) || strings.Join(changed, " ") != step.changed {
			t.Errorf("%s: %v, %v", step.name, changed, err)
		}
		if after, err := w.db.Change(ctx); err != nil || (after > before) != (step.changed != "") {
			t.Errorf("%s: the counter went from %d to %d, %v", step.name, before, after, err)
		}
	}
	tail, err := w.db.AuditTail(ctx, 20)
	w.must(err)
	var told []string
	for _, e := range tail {
		if e.Action == "setting.changed" {
			told = append(told, fmt.Sprintf("%s %s %v %v", e.TargetKind, e.TargetID, e.Before["value"], e.After["value"]))
		}
	}
	want := []string{ // newest first
		"setting url https://x <nil>", "setting version b <nil>", "setting version a b", "setting url <nil> https://x", "setting version <nil> a",
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Errorf("events (-want +got):\n%s", diff)
	}
	// What is wrong already may be mended bit by bit, and not be made worse.
	for _, name := range []string{"version", "pinned"} {
		w.must(w.db.PutSetting(ctx, accounts.KeptSetting{Name: name, Value: "x"}))
	}
	if _, err := k.Change(ctx, operator(), map[string]string{"pinned": ""}, nil); err != nil {
		t.Errorf("mend a part: %v", err)
	}
	_, err = k.Change(ctx, operator(), map[string]string{"version": "y"}, nil)
	wantErr(t, err, accounts.ErrInvalid)
	if list, err := k.List(ctx); !errors.Is(err, accounts.ErrInvalid) || len(list) != 3 {
		t.Errorf("%v, %v", list, err)
	}
}

// TestSettingsKeeper_Race: of those who change what they have seen, one does.
func TestSettingsKeeper_Race(t *testing.T) {
	for name, url := range map[string]string{"SQLite": sqldbtest.SQLite(t), "PostgreSQL": sqldbtest.Postgres(t)} {
		t.Run(name, func(t *testing.T) {
			w := newWorldOn(t, url)
			k := keeperIn(w)
			var won atomic.Int32
			var running sync.WaitGroup
			for i := range 6 {
				running.Go(func() {
					_, err := k.Change(t.Context(), operator(), map[string]string{"version": fmt.Sprint(i), "url": "u"}, func(now []accounts.Setting) error {
						if now[1].Kept != "" {
							return accounts.ErrConflict
						}
						return nil
					})
					switch {
					case err == nil:
						won.Add(1)
					case !errors.Is(err, accounts.ErrConflict):
						t.Error(err)
					}
				})
			}
			running.Wait()
			if won.Load() != 1 {
				t.Errorf("%d of them changed it", won.Load())
			}
		})
	}
}
