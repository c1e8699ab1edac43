package follow

import (
	"encoding/base64"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/gatehouse-id/gatehouse/resource/wire"
)

var secret = []byte("0123456789abcdef0123456789abcdef")

// world is a server's clock, a local one, and what the server has.
type world struct {
	t        *testing.T
	f        *Follower
	now      time.Time     // local
	server   time.Duration // server's clock, less the local one
	timeline string
	position int64
	key      []byte
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, now: time.Now(), timeline: "one", position: 100, key: secret}
	w.f = New(1000, func() time.Time { return w.now })
	return w
}

func (w *world) pass(d time.Duration) { w.now = w.now.Add(d) }

func (w *world) cursor() string { return fmt.Sprintf("%s/%d", w.timeline, w.position) }

func (w *world) row(position int64, kind, value string) wire.Row {
	r := wire.Row{Position: position, Kind: kind, Expires: w.now.Add(w.server).Unix() + 3600}
	if claim, _ := wire.Claim(kind); claim != "" {
		r.Key = wire.Sum(w.key, claim, value).Text()
	}
	return r
}

// frame is made now, with what has happened since the position prev.
func (w *world) frame(prev int64, rows ...wire.Row) wire.Frame {
	return wire.Frame{
		Version: wire.Version, Timeline: w.timeline, Prev: prev, Position: w.position,
		Time: w.now.Add(w.server).UnixMilli(), Rows: rows,
	}
}

func (w *world) snapshot(rows ...wire.Row) wire.Snapshot {
	return wire.Snapshot{
		Frame: w.frame(0, rows...), Complete: true, Cursor: w.cursor(),
		HashKey: base64.RawURLEncoding.EncodeToString(w.key),
	}
}

// sync loads a complete snapshot and opens a stream, both without delay.
func (w *world) sync(rows ...wire.Row) {
	w.t.Helper()
	if err := w.f.Snapshot(w.snapshot(rows...), w.now, w.now); err != nil {
		w.t.Fatal(err)
	}
	w.f.Connected(w.now)
	w.beat(nil)
}

// beat sends a heartbeat that arrives at once.
func (w *world) beat(want error) {
	w.t.Helper()
	if err := w.f.Frame(w.cursor(), w.frame(w.position), w.now); !errors.Is(err, want) {
		w.t.Fatalf("heartbeat: %v, want %v", err, want)
	}
}

// commit sends a frame with a new row.
func (w *world) commit(kind, value string) {
	w.t.Helper()
	prev := w.position
	w.position++
	if err := w.f.Frame(w.cursor(), w.frame(prev, w.row(w.position, kind, value)), w.now); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) want(state State) {
	w.t.Helper()
	if got := w.f.State(w.now); got != state {
		w.t.Fatalf("state %s, want %s", got, state)
	}
}

// dead reports whether a token with these claims is refused.
func (w *world) dead(c Claims) bool {
	view := w.f.View()
	q := view.Query(c)
	_, hit := view.Set.Match(&q)
	return hit
}

var person = Claims{
	Token: "jti", Session: "sid", Grant: "gid", Subject: "sub", Client: "app", Key: "kid",
	Scopes: []string{"openid", "posts:add"}, Rev: 100,
}

func (w *world) wantDead(want bool) {
	w.t.Helper()
	if got := w.dead(person); got != want {
		w.t.Fatalf("the token is dead: %v, want %v", got, want)
	}
}

func TestStates(t *testing.T) {
	w := newWorld(t)
	w.want(Cold)
	w.f.Asking()
	w.want(Syncing)
	w.f.Failed()
	w.want(Cold)
	w.sync()
	w.want(Fresh)
	w.pass(10 * time.Second)
	w.want(Fresh)
	w.pass(time.Millisecond)
	w.want(Stale)
	w.f.Asking()
	w.want(Syncing)
	if err := w.f.Snapshot(w.snapshot(), w.now, w.now); err != nil {
		t.Fatal(err)
	}
	w.want(Fresh)
	w.f.Asking()
	w.want(Fresh) // what was confirmed stays so
}

func TestEveryKindMatches(t *testing.T) {
	for kind, value := range map[string]string{
		wire.KindToken: "jti", wire.KindSession: "sid", wire.KindGrant: "gid", wire.KindUser: "sub",
		wire.KindMembership: "sub", wire.KindPermission: "posts:add", wire.KindClient: "app", wire.KindKey: "kid", wire.KindAll: "",
	} {
		t.Run(kind, func(t *testing.T) {
			w := newWorld(t)
			w.sync()
			w.wantDead(false)
			w.commit(kind, "other")
			w.wantDead(kind == wire.KindAll)
			w.commit(kind, value)
			w.wantDead(true)
			machine := person
			machine.Grant, machine.Rev = "", w.position
			// Only what is absolute kills a token that was decided later (L1); a
			// permission no machine's (L19).
			absolute := kind == wire.KindToken || kind == wire.KindSession || kind == wire.KindKey
			if got := w.dead(machine); got != absolute {
				t.Errorf("a later token without a grant is dead: %v, want %v", got, absolute)
			}
			machine.Rev = 0
			want := kind != wire.KindPermission && kind != wire.KindGrant
			if got := w.dead(machine); got != want {
				t.Errorf("an earlier token without a grant is dead: %v, want %v", got, want)
			}
		})
	}
}
