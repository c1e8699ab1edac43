package signals

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/revocation"
	"github.com/gatehouse-id/gatehouse/revocation/relay"
)

var _ relay.Sink = (*Transmitter)(nil)

// maxWaiting bounds how many events wait in a stream.
const maxWaiting = 10_000

const reasonBacklog = "Too many events wait; those after them were dropped"

// Expand implements relay.Sink: it puts what the rows tell into the streams, in the
// transaction of ctx.
func (t *Transmitter) Expand(ctx context.Context, rows []revocation.Row) error {
	var sessions []id.ID
	for _, r := range rows {
		if sid, err := id.Parse(r.Key); err == nil && r.Kind == revocation.Session {
			sessions = append(sessions, sid)
		}
	}
	// Before anything is looked up: most deployments have no stream at all.
	streams, err := t.Events.ListeningStreams(ctx)
	if err != nil || len(streams) == 0 {
		return err
	}
	owners := map[id.ID]string{}
	if len(sessions) > 0 {
		if owners, err = t.Subjects.SessionSubjects(ctx, sessions); err != nil {
			return err
		}
	}
	var list []occurrence
	for _, r := range rows {
		var owner string
		if sid, err := id.Parse(r.Key); err == nil {
			// Empty if the person is deleted by now: that is a row of its own.
			owner = owners[sid]
		}
		list = append(list, occurrences(r, owner)...)
	}
	if err := t.distribute(ctx, streams, list); err != nil {
		return err
	}
	return t.forget(ctx, rows)
}

// forget drops what streams list about people who are deleted, now that this was
// told: their names are nobody's to keep, and would count for ever.
func (t *Transmitter) forget(ctx context.Context, rows []revocation.Row) error {
	var subs []string
	for _, r := range rows {
		if r.Kind == revocation.User && r.Reason == reasonDeletion {
			subs = append(subs, r.Key)
		}
	}
	if len(subs) == 0 {
		return nil
	}
	return t.Subjects.ForgetSubjects(ctx, subs)
}

// distribute puts each occurrence into the streams that want it.
func (t *Transmitter) distribute(ctx context.Context, streams []Stream, list []occurrence) error {
	subs := map[string]struct{}{}
	for _, o := range list {
		if o.subject.Sub != "" {
			subs[o.subject.Sub] = struct{}{}
		}
	}
	lists := map[about][]Listed{}
	if len(subs) > 0 {
		listed, err := t.Subjects.ListedSubjects(ctx, slices.Collect(maps.Keys(subs)))
		if err != nil {
			return err
		}
		for _, l := range listed {
			key := about{l.StreamID, l.Sub}
			lists[key] = append(lists[key], l)
		}
	}
	wanted := map[id.ID][]occurrence{}
	for _, o := range list {
		for i := range streams {
			s := &streams[i]
			if s.wants(o, lists[about{s.ID, o.subject.Sub}]) {
				wanted[s.ID] = append(wanted[s.ID], o)
			}
		}
	}
	if len(wanted) == 0 {
		return nil
	}
	return t.fill(ctx, wanted)
}

// about is a stream and a person.
type about struct {
	stream id.ID
	sub    string
}

// wants decides who hears what; listed is what the stream lists about the person.
func (s *Stream) wants(o occurrence, listed []Listed) bool {
	switch {
	case !slices.Contains(s.Requested, o.typ):
		return false
	case o.audience != "":
		return s.Every || s.Audience == o.audience
	case s.Every:
		return !slices.ContainsFunc(listed, func(l Listed) bool { return !l.Included && l.covers(o.subject) })
	}
	return slices.ContainsFunc(listed, func(l Listed) bool { return l.Included && l.includes(o.subject) })
}

// fill writes events into streams, locked so that none of them is deleted or
// filled by somebody else meanwhile.
func (t *Transmitter) fill(ctx context.Context, wanted map[id.ID][]occurrence) error {
	streams, err := t.Streams.LockStreams(ctx, slices.Collect(maps.Keys(wanted)))
	if err != nil {
		return err
	}
	counts, err := t.Events.CountEvents(ctx, slices.Collect(maps.Keys(wanted)))
	if err != nil {
		return err
	}
	for i := range streams {
		s := &streams[i]
		if s.Status == Disabled {
			continue
		}
		list := wanted[s.ID]
		room := max(0, maxWaiting-counts[s.ID])
		if len(list) > room {
			if err := t.pause(ctx, s, reasonBacklog); err != nil {
				return err
			}
		}
		var events []Event
		for _, o := range list[:min(len(list), room)] {
			e, err := t.event(s, o)
			if err != nil {
				return err
			}
			events = append(events, e)
		}
		if err := t.put(ctx, s, events...); err != nil {
			return err
		}
	}
	return nil
}

// put writes events into a stream and sees to their delivery.
func (t *Transmitter) put(ctx context.Context, s *Stream, events ...Event) error {
	if len(events) == 0 {
		return nil
	}
	if err := t.Events.InsertEvents(ctx, events); err != nil {
		return fmt.Errorf("write security events: %w", err)
	}
	return t.wake(ctx, s)
}

// pause stops a stream that does not empty, and tells its receiver so: that event is
// delivered although the stream is paused (SSF §8.1.5).
func (t *Transmitter) pause(ctx context.Context, s *Stream, reason string) error {
	if s.Status == Disabled || s.Status == Paused && s.Reason == reason {
		return nil
	}
	was, before := s.Status, *s
	s.Status, s.Reason, s.UpdatedAt = Paused, reason, t.now()
	if err := t.Streams.UpdateStream(ctx, s); err != nil {
		return fmt.Errorf("pause stream: %w", err)
	}
	actor := audit.Actor{Kind: audit.System, ID: "signals"}
	if err := t.note(ctx, actor, "pause", &before, s, map[string]any{"reason": reason}); err != nil {
		return err
	}
	t.Log.WarnContext(ctx, "a signal stream was paused", "stream", s.ID, "client_id", s.ClientID, "reason", reason)
	if was != Enabled {
		return nil // the receiver paused it itself, and asks for the status if it wants to
	}
	e, err := t.announce(s, typeStreamUpdated, updated{Status: Paused, Reason: reason})
	if err != nil {
		return err
	}
	e.Announces = true
	return t.put(ctx, s, e)
}
