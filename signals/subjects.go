package signals

import (
	"context"
	"net/http"

	"github.com/gatehouse-id/gatehouse/internal/web"
)

// maxSubjects bounds how many subjects a stream lists.
const maxSubjects = 100_000

// addSubject adds whom a receiver wants to hear about (SSF §8.1.3.2). Whether the
// person exists is not said: a receiver knows the people of its own app.
func (t *Transmitter) addSubject(w http.ResponseWriter, r *http.Request, by *Receiver) error {
	err := t.list(w, r, by, func(ctx context.Context, s *Stream, subject Subject) error {
		n, err := t.Subjects.CountSubjects(ctx, s.ID)
		if err != nil {
			return err
		}
		if n >= maxSubjects {
			return &problem{http.StatusForbidden, "too_many_subjects", "The stream lists as many subjects as it may"}
		}
		return t.Subjects.PutSubject(ctx, Listed{StreamID: s.ID, Subject: subject, Included: true}, t.now())
	})
	if err != nil {
		return err
	}
	web.NoStore(w)
	w.WriteHeader(http.StatusOK)
	return nil
}

// removeSubject takes them away again (SSF §8.1.3.3); of a stream about everybody it
// spares them.
func (t *Transmitter) removeSubject(w http.ResponseWriter, r *http.Request, by *Receiver) error {
	err := t.list(w, r, by, func(ctx context.Context, s *Stream, subject Subject) error {
		if !s.Every {
			return t.Subjects.DropSubject(ctx, s.ID, subject)
		}
		n, err := t.Subjects.CountSubjects(ctx, s.ID)
		if err != nil {
			return err
		}
		if n >= maxSubjects {
			return &problem{http.StatusForbidden, "too_many_subjects", "The stream lists as many subjects as it may"}
		}
		return t.Subjects.PutSubject(ctx, Listed{StreamID: s.ID, Subject: subject}, t.now())
	})
	if err != nil {
		return err
	}
	web.NoStore(w)
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func (t *Transmitter) list(w http.ResponseWriter, r *http.Request, by *Receiver, f func(ctx context.Context, s *Stream, subject Subject) error) error {
	o, err := readObject(w, r)
	if err != nil {
		return err
	}
	raw, ok := o["subject"]
	if !ok {
		return bad("subject is missing")
	}
	subject, err := parseSubject(raw, t.Issuer.String())
	if err != nil {
		return err
	}
	var verified bool
	if _, err := o.member("verified", &verified); err != nil {
		return err
	}
	return t.changing(r.Context(), by, o, func(ctx context.Context, s *Stream) error { return f(ctx, s, subject) })
}
