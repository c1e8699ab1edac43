package resource

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/resource/follow"
	"github.com/gatehouse-id/gatehouse/resource/revset"
	"github.com/gatehouse-id/gatehouse/resource/wire"
)

func TestReadSnapshot(t *testing.T) {
	key := wire.Sum([]byte("secret"), "sid", "a")
	want := wire.Snapshot{
		Frame:    wire.Frame{Version: 1, Timeline: "one", Prev: 3, Position: 9, Floor: 2, Time: 1e12, Age: 5},
		Complete: true, Cursor: "c", HashKey: "k",
	}
	full := want
	full.Rows = []wire.Row{{Position: 4, Kind: wire.KindSession, Key: key.Text(), Expires: 8}, {Position: 5, Kind: wire.KindAll, Expires: 8}}
	document, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	rows := []revset.Row{
		{Kind: revset.Session, Fingerprint: key.Fingerprint(), Position: 4, Expires: 8}, {Kind: revset.All, Position: 5, Expires: 8},
	}
	// The order of fields is nobody's promise, and later versions may add some.
	turned := `{"new":{"a":[1]},"rows":` + cutOut(string(document), `"rows":`, `]`) + `],` +
		strings.Replace(string(document)[1:], `"rows"`, `"old_rows"`, 1)
	for _, in := range []string{string(document), turned} {
		s, got, failure, err := readSnapshot(strings.NewReader(in), 10)
		if err != nil || failure != nil {
			t.Fatal(err, failure)
		}
		if diff := cmp.Diff(want, s); diff != "" {
			t.Errorf("snapshot differs (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(rows, got); diff != "" {
			t.Errorf("rows differ (-want +got):\n%s", diff)
		}
	}
	if _, got, failure, err := readSnapshot(bytes.NewReader(document), 1); err != nil || !errors.Is(failure, revset.ErrFull) || len(got) != 1 {
		t.Errorf("beyond the bound: %d rows, %v, %v", len(got), failure, err)
	}
	unknown := strings.Replace(string(document), `"all"`, `"tenant"`, 1)
	if _, got, failure, err := readSnapshot(strings.NewReader(unknown), 9); err != nil || !errors.Is(failure, follow.ErrUnknown) || len(got) != 1 {
		t.Errorf("unknown kind: %d rows, %v, %v", len(got), failure, err)
	}
	for i := range len(document) - 1 {
		if _, _, _, err := readSnapshot(bytes.NewReader(document[:i]), 10); err == nil {
			t.Fatalf("cut off after %d bytes and accepted", i)
		}
	}
}

func cutOut(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, _ = strings.Cut(s, to)
	return s
}

func TestSnapshotIsBounded(t *testing.T) {
	many := `{"v":1` + strings.Repeat(`,"x":1`, 3)
	for i := range 100 {
		many += fmt.Sprintf(`,"x%d":1`, i)
	}
	for name, in := range map[string]io.Reader{
		"endless text":  io.MultiReader(strings.NewReader(`{"timeline":"`), endless("a")),
		"endless rows":  io.MultiReader(strings.NewReader(`{"rows":[{}`), endless(",{}")),
		"endless field": io.MultiReader(strings.NewReader(`{"x":[0`), endless(",0")),
		"many fields":   strings.NewReader(many + "}"),
		"no object":     strings.NewReader(`[]`),
		"rows no list":  strings.NewReader(`{"rows":{}}`),
		"wrong types":   strings.NewReader(`{"v":"1"}`),
	} {
		if _, _, _, err := readSnapshot(in, 1000); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// endless returns a reader that says one thing for ever.
func endless(text string) io.Reader { return &loop{text: text} }

type loop struct {
	text string
	at   int
}

// Read fills b.
func (l *loop) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = l.text[l.at]
		l.at = (l.at + 1) % len(l.text)
	}
	return len(b), nil
}

func FuzzReadSnapshot(f *testing.F) {
	f.Add([]byte(`{"v":1,"timeline":"a","rows":[{"position":1,"kind":"all","expires":2}],"complete":true}`))
	f.Add([]byte(`{"rows":null,"rows":[{}],"v":2}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		_, rows, failure, err := readSnapshot(bytes.NewReader(in), 3)
		if len(rows) > 3 {
			t.Errorf("%d rows", len(rows))
		}
		// Only rows that a set can hold come through.
		if err == nil && failure == nil {
			if err := revset.New(revset.Options{MaxRows: 3}).Add(rows...); err != nil {
				t.Error(err)
			}
		}
	})
}
