package revset

import (
	"errors"
	"testing"
)

func TestFloorOnlyRisesButForReset(t *testing.T) {
	s, c := newSet(0)
	row := Row{Kind: Session, Fingerprint: 5, Position: 1, Expires: c.now + 10}
	steps := []struct {
		name string
		do   func() error
		want int64
	}{
		{"raise", func() error { s.Raise(10); return nil }, 10},
		{"raise to a lower one", func() error { s.Raise(9); return nil }, 10},
		{"replace with a lower one", func() error { return s.Replace([]Row{row}, 8) }, 10},
		{"replace", func() error { return s.Replace([]Row{row}, 12) }, 12},
		{"raise after replace", func() error { s.Raise(15); return nil }, 15},
		{"reset", func() error { return s.Reset([]Row{row}, 3) }, 3},
		{"reset upwards", func() error { return s.Reset([]Row{row}, 30) }, 30},
	}
	for _, step := range steps {
		err := step.do()
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		if s.Floor() != step.want {
			t.Errorf("%s: floor %d, want %d", step.name, s.Floor(), step.want)
		}
		check(t, s, step.name, Query{Rev: step.want - 1}, Floor)
		check(t, s, step.name, Query{Rev: step.want}, 0)
	}
	check(t, s, "the row", query(Session, 5, 30), Session)
}

func TestReplaceForgetsWhatIsNotThere(t *testing.T) {
	s, c := newSet(0)
	for _, kind := range append(keyed(), All) {
		add(t, s, Row{Kind: kind, Fingerprint: 5, Position: 10, Expires: c.now + 10})
	}
	err := s.Replace([]Row{{Kind: Session, Fingerprint: 6, Position: 11, Expires: c.now + 10}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, kind := range append(keyed(), All) {
		check(t, s, "gone", query(kind, 5, 0), 0)
	}
	check(t, s, "put in", query(Session, 6, 0), Session)
	if s.Len() != 1 {
		t.Errorf("Len() = %d, want 1", s.Len())
	}
}

func TestFullSetTakesWhatFitsAndSaysSo(t *testing.T) {
	s, c := newSet(3)
	row := func(kind Kind, fp uint64, lives int64) Row {
		return Row{Kind: kind, Fingerprint: fp, Position: int64(fp), Expires: c.now + lives}
	}
	add(t, s, row(Session, 1, 10), row(Client, 2, 90))
	err := s.Add(row(Session, 3, 90), row(Session, 4, 90), row(Client, 2, 95), row(Client, 5, 90), row(All, 6, 11))
	if !errors.Is(err, ErrFull) {
		t.Fatalf("Add beyond the bound = %v, want ErrFull", err)
	}
	check(t, s, "went in before", query(Session, 3, 50), Session)
	check(t, s, "did not fit", query(Session, 4, 50), 0)
	check(t, s, "did not fit", query(Client, 5, 50), 0)
	check(t, s, "all always fits", Query{Rev: 5}, All)

	c.now += 10 // the first one has expired: Add drops it by itself
	err = s.Add(row(Session, 4, 90))
	if !errors.Is(err, ErrFull) {
		t.Fatalf("the row of kind All counts: Add = %v, want ErrFull", err)
	}
	if s.Floor() != 1 {
		t.Errorf("floor %d after the first row was dropped, want 1", s.Floor())
	}
	check(t, s, "was dropped", query(Session, 1, 50), 0)
	c.now++ // the one of kind All has expired, so there is room
	add(t, s, row(Session, 3, 95), row(Session, 8, 90))
	check(t, s, "fits after a drop", query(Session, 8, 50), Session)

	before := s.Len()
	tooMany := []Row{row(Session, 11, 90), row(Session, 12, 90), row(Session, 13, 90), row(Session, 14, 90)}
	for name, replace := range map[string]func([]Row, int64) error{"Replace": s.Replace, "Reset": s.Reset} {
		err = replace(tooMany, 99)
		if !errors.Is(err, ErrFull) {
			t.Fatalf("%s beyond the bound = %v, want ErrFull", name, err)
		}
		check(t, s, "kept", query(Session, 3, 50), Session)
		check(t, s, "not put in", query(Session, 11, 50), 0)
		if s.Len() != before || s.Floor() != 6 {
			t.Errorf("%s changed the set: %d rows, floor %d", name, s.Len(), s.Floor())
		}
	}
	err = s.Replace(append(tooMany[:3:3], tooMany[:3]...), 0)
	if err != nil {
		t.Errorf("Replace with rows that come twice: %v", err)
	}
}

func TestUnknownKindIsAnError(t *testing.T) {
	s, c := newSet(0)
	for _, kind := range []Kind{0, Floor, 200} {
		err := s.Add(
			Row{Kind: kind, Fingerprint: 5, Position: 1, Expires: c.now + 10},
			Row{Kind: Session, Fingerprint: uint64(kind) + 1, Position: 1, Expires: c.now + 10})
		if !errors.Is(err, ErrKind) {
			t.Errorf("Add of kind %d = %v, want ErrKind", kind, err)
		}
		check(t, s, "the row beside it", query(Session, uint64(kind)+1, 1), Session)
		err = s.Replace([]Row{{Kind: kind, Fingerprint: 5, Position: 1, Expires: c.now + 10}}, 0)
		if !errors.Is(err, ErrKind) {
			t.Errorf("Replace with kind %d = %v, want ErrKind", kind, err)
		}
		check(t, s, "after the failed Replace", query(Session, uint64(kind)+1, 1), Session)
	}
}
