package auditlog

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

func sample() (audit.Event, audit.Origin) {
	return audit.Event{
		Actor: audit.Actor{Kind: audit.Person, ID: "sub", Name: "Ada"}, Action: "user.update", TargetKind: "user", TargetID: "bob",
		Details: map[string]any{"username": "bob", "n": 1.0},
		Before:  map[string]any{"email": "a@example.org", "staff": true},
		After:   map[string]any{"email": "b@example.org", "name": "Bob"},
	}, audit.Origin{RequestID: "req", Address: "192.0.2.1", Session: "sid", Client: "app"}
}

// TestRecord: a row gives the event back as it was, and what is personal stands
// nowhere but apart.
func TestRecord(t *testing.T) {
	event, origin := sample()
	r, err := NewRecord(id.New(), 42, event, origin)
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Entry()
	if err != nil {
		t.Fatal(err)
	}
	want := Entry{At: 42, Event: event, Origin: origin}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(Entry{}, "ID")); diff != "" {
		t.Error(diff)
	}
	if l := NewLine(&got); l.Client != "app" || l.Details["via"] != nil {
		t.Errorf("told to others as %+v", l)
	}
	machine, err := NewRecord(id.New(), 42, audit.Event{Actor: audit.Actor{Kind: audit.Client, ID: "app"}}, origin)
	if err != nil || machine.Details != "{}" {
		t.Errorf("an app that acts for itself: %s, %v", machine.Details, err)
	}
	public := strings.Join([]string{r.ActorName, r.Address, r.Details, r.Before, r.After, r.Commitments}, " ")
	for _, personal := range []string{"Ada", "192.0.2.1", "bob", "example.org", "Bob"} {
		if strings.Contains(public, personal) {
			t.Errorf("%q in %s", personal, public)
		}
		if !strings.Contains(r.Personal, personal) {
			t.Errorf("%q is not in %s", personal, r.Personal)
		}
	}
	again, err := NewRecord(r.ID, 42, event, origin)
	if err != nil || again.Commitments == r.Commitments {
		t.Errorf("the same values have the same commitments in two rows: %v", err)
	}
	if !strings.Contains(r.Details, `"via":"app"`) {
		t.Errorf("the app is no part of what is chained: %s", r.Details)
	}
	if _, err := NewRecord(id.New(), 1, audit.Event{After: map[string]any{"f": func() {}}}, audit.Origin{}); err == nil {
		t.Error("a value that cannot be told")
	}
}

// TestRecord_Cut: nobody fills the log with one value.
func TestRecord_Cut(t *testing.T) {
	long, many := strings.Repeat("ü", 600), make([]string, 150)
	many[0] = long
	r, err := NewRecord(id.New(), 1, audit.Event{TargetKind: "client", Details: map[string]any{
		"long": long, "many": many, "deep": map[string]string{"x": long},
	}}, audit.Origin{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := r.Entry()
	if err != nil {
		t.Fatal(err)
	}
	cut := strings.Repeat("ü", 500) + "…"
	list, _ := e.Details["many"].([]any)
	if e.Details["long"] != cut || len(list) != 101 || list[0] != cut || list[100] != "and 50 more" {
		t.Errorf("%v", e.Details)
	}
	if diff := cmp.Diff(map[string]any{"x": cut}, e.Details["deep"]); diff != "" {
		t.Error(diff)
	}
}

// TestSum: each byte of a row, its place and its predecessor count.
func TestSum(t *testing.T) {
	event, origin := sample()
	r, err := NewRecord(id.New(), 42, event, origin)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]string{string(r.sum([]byte("p"), 1)): "as it is"}
	other := func(name string, sum []byte) {
		if was := seen[string(sum)]; was != "" {
			t.Errorf("%s has the hash of %s", name, was)
		}
		seen[string(sum)] = name
	}
	other("predecessor", r.sum([]byte("q"), 1))
	other("place", r.sum([]byte("p"), 2))
	for name, change := range map[string]func(r *Record){
		"id": func(r *Record) { r.ID[3]++ }, "at": func(r *Record) { r.At++ }, "format": func(r *Record) { r.Format++ },
		"actor kind": func(r *Record) { r.ActorKind += "x" }, "actor": func(r *Record) { r.ActorID += "x" },
		"actor name": func(r *Record) { r.ActorName += "x" }, "action": func(r *Record) { r.Action += "x" },
		"target kind": func(r *Record) { r.TargetKind += "x" }, "target": func(r *Record) { r.TargetID += "x" },
		"details": func(r *Record) { r.Details += " " }, "before": func(r *Record) { r.Before += " " }, "after": func(r *Record) { r.After += " " },
		"request": func(r *Record) { r.RequestID += "x" }, "address": func(r *Record) { r.Address += "x" },
		"session": func(r *Record) { r.Session += "x" }, "commitments": func(r *Record) { r.Commitments += " " },
		"a border": func(r *Record) { r.ActorKind, r.ActorID = r.ActorKind+r.ActorID[:1], r.ActorID[1:] },
	} {
		changed := *r
		change(&changed)
		other(name, changed.sum([]byte("p"), 1))
	}
	erased := *r
	erased.Personal, erased.Salt, erased.ErasedAt = "{}", []byte{}, 1
	if string(erased.sum([]byte("p"), 1)) != string(r.sum([]byte("p"), 1)) || erased.proven() != nil {
		t.Error("erasing what is personal breaks the chain")
	}
	for name, change := range map[string]func(r *Record){
		"a value":       func(r *Record) { r.Personal = strings.Replace(r.Personal, "Ada", "Eve", 1) },
		"a name":        func(r *Record) { r.Personal = strings.Replace(r.Personal, "actor_name", "actor_nama", 1) },
		"no values":     func(r *Record) { r.Personal = "{}" },
		"no JSON":       func(r *Record) { r.Personal = "{" },
		"another salt":  func(r *Record) { r.Salt = []byte("another salt ...") },
		"erased, salty": func(r *Record) { r.Personal, r.ErasedAt = "{}", 1 },
	} {
		changed := *r
		change(&changed)
		if changed.proven() == nil {
			t.Errorf("%s is changed, and proven", name)
		}
	}
}
