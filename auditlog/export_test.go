package auditlog

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestExport: the events of a time, behind a number, each on a line.
func TestExport(t *testing.T) {
	store := &shelf{}
	store.add(t, 1200) // more than two pages
	for i, r := range store.rows {
		r.At = int64(1000 + i)
	}
	store.rows[5].At = 2500 // sealed before younger ones
	for name, tt := range map[string]struct {
		o           Export
		first, last int64
		n           int
	}{
		"all":    {Export{}, 1, 1200, 1200},
		"after":  {Export{After: 1190}, 1191, 1200, 10},
		"since":  {Export{Since: 2190}, 6, 1200, 11},
		"until":  {Export{Until: 1005}, 1, 5, 5},
		"no one": {Export{Since: 9999, After: 1200}, 0, 0, 0},
	} {
		var out bytes.Buffer
		last, err := (&Exporter{Store: store}).Write(t.Context(), &out, tt.o)
		var seqs []int64
		for line := range strings.Lines(out.String()) {
			var l Line
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				t.Fatal(err)
			}
			seqs = append(seqs, l.Seq)
		}
		if err != nil || last != 1200 || len(seqs) != tt.n || tt.n > 0 && (seqs[0] != tt.first || seqs[tt.n-1] != tt.last || !slices.IsSorted(seqs)) {
			t.Errorf("%s: %d to %d, %v", name, len(seqs), last, err)
		}
	}
}

// passed passes on what is written.
type passed chan string

func (p passed) Write(b []byte) (int, error) { p <- string(b); return len(b), nil }

func TestExport_Follow(t *testing.T) {
	store := &shelf{}
	store.add(t, 1)
	ctx, cancel := context.WithCancel(t.Context())
	out, done := make(passed, 10), make(chan error)
	go func() {
		last, err := (&Exporter{Store: store}).Write(ctx, out, Export{Follow: true})
		if last != 2 {
			err = errors.Join(err, errors.New("another last number"))
		}
		done <- err
	}()
	<-out
	store.add(t, 1)
	if line := <-out; !strings.HasPrefix(line, `{"seq":2,`) {
		t.Error(line)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestSent: a stream that somebody uses keeps what it has not sent, one that was given
// up a week ago does not.
func TestSent(t *testing.T) {
	now := time.UnixMilli(1_800_000_000_000)
	store := &shelf{state: StreamState{Seq: 7}, until: now.UnixMilli()}
	for after, want := range map[time.Duration]int64{0: 7, 6 * 24 * time.Hour: 7, 8 * 24 * time.Hour: math.MaxInt64} {
		got, err := Sent(store, func() time.Time { return now.Add(after) })(t.Context())
		if got != want || err != nil {
			t.Errorf("after %s: %d, %v", after, got, err)
		}
	}
}

// TestSearch_Refuses: what no event has is said before the database is asked.
func TestSearch_Refuses(t *testing.T) {
	l := &Log{} // without a store
	for name, tt := range map[string]struct {
		q     Query
		limit int
	}{
		"no limit": {Query{}, 0}, "too many": {Query{}, MaxPage + 1}, "backwards": {Query{Since: 2, Until: 2}, 1},
		"NUL": {Query{Text: "a\x00"}, 1}, "no text": {Query{ActorID: "\xff"}, 1}, "long": {Query{Action: strings.Repeat("a", 2049)}, 1},
	} {
		if _, err := l.Search(t.Context(), tt.q, Cursor{}, tt.limit); !errors.Is(err, ErrQuery) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestPage: a walk that stopped bounds how far the others count.
func TestPage(t *testing.T) {
	at := func(n byte) Entry { return Entry{ID: Cursor{n}} }
	for name, tt := range map[string]struct {
		found []Entry
		floor byte
		limit int
		want  []byte
		next  byte
	}{
		"all":               {[]Entry{at(1), at(3), at(2)}, 0, 5, []byte{3, 2, 1}, 0},
		"twice":             {[]Entry{at(1), at(1)}, 0, 1, []byte{1}, 0},
		"a full page":       {[]Entry{at(1), at(3), at(2)}, 0, 2, []byte{3, 2}, 2},
		"stopped":           {[]Entry{at(1), at(3), at(2)}, 2, 5, []byte{3, 2}, 2},
		"stopped, and full": {[]Entry{at(1), at(3), at(2)}, 1, 1, []byte{3}, 3},
		"stopped early":     {[]Entry{at(1)}, 2, 5, nil, 2},
	} {
		p := page(slices.Clone(tt.found), Cursor{tt.floor}, tt.limit)
		var got []byte
		for _, e := range p.Entries {
			got = append(got, e.ID[0])
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || p.Next != (Cursor{tt.next}) {
			t.Errorf("%s: %s, next %v", name, diff, p.Next)
		}
	}
}
