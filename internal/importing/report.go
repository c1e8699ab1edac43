package importing

import (
	"cmp"
	"maps"
	"slices"
	"strings"
)

// Item is something of the file that was not carried over, or not as it was.
type Item struct {
	Kind   string `json:"kind"` // user, group, permission, api, client, role, file
	Name   string `json:"name,omitempty"`
	Reason string `json:"reason"`
}

// Count tells for how many objects of a kind one reason held.
type Count struct {
	Kind   string `json:"kind"`
	Reason string `json:"reason"`
	Count  int64  `json:"count"`
}

// Report collects what was not carried over. It holds names and reasons, and nothing
// else of the file.
type Report struct {
	// Write gets each item; nil means that nobody does.
	Write func(Item) error

	counts map[Item]int64
	muted  bool
	held   *[]Item // of a transaction that may run again
	err    error
}

const (
	maxReasons   = 300 // that are counted each for itself
	otherReasons = "other reasons"
	maxShort     = 80 // characters
)

// Note notes an object that was not carried over, or something of it.
func (r *Report) Note(kind, name, reason string) {
	item := Item{Kind: kind, Name: Short(name), Reason: reason}
	switch {
	case r.muted:
	case r.held != nil:
		*r.held = append(*r.held, item)
	default:
		r.add(item)
	}
}

func (r *Report) add(item Item) {
	if r.counts == nil {
		r.counts = map[Item]int64{}
	}
	key := Item{Kind: item.Kind, Reason: item.Reason}
	if _, known := r.counts[key]; !known && len(r.counts) >= maxReasons {
		key.Reason = otherReasons
	}
	r.counts[key]++
	if r.Write != nil && r.err == nil {
		r.err = r.Write(item)
	}
}

// Counts are the reasons, the most frequent of each kind first.
func (r *Report) Counts() []Count {
	list := make([]Count, 0, len(r.counts))
	for _, key := range slices.SortedFunc(maps.Keys(r.counts), func(a, b Item) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(r.counts[b], r.counts[a]), cmp.Compare(a.Reason, b.Reason))
	}) {
		list = append(list, Count{Kind: key.Kind, Reason: key.Reason, Count: r.counts[key]})
	}
	return list
}

// hold keeps the notes of f back until it has ended, for it may run again from its
// beginning; each beginning calls the function that it gets.
func (r *Report) hold(f func(again func()) error) error {
	var held []Item
	r.held = &held
	err := f(func() { held = held[:0] })
	r.held = nil
	for _, item := range held {
		r.add(item)
	}
	return err
}

// Short keeps what a file calls something from filling lines.
func Short(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if runes := []rune(s); len(runes) > maxShort {
		return string(runes[:maxShort]) + "…"
	}
	return s
}
