package auditlog

import "time"

// Line is an event as it is given to others: in exports, to syslog and by commands.
// Names are added and never taken away.
type Line struct {
	Seq       int64          `json:"seq,omitempty"` // of the chain, absent until it is sealed
	ID        string         `json:"id"`
	Time      string         `json:"time"` // RFC 3339, UTC, milliseconds
	Action    string         `json:"action"`
	Actor     Who            `json:"actor"`
	Target    Who            `json:"target"`
	Address   string         `json:"address,omitempty"`
	RequestID string         `json:"request_id,omitempty"`
	Session   string         `json:"session,omitempty"`
	Client    string         `json:"client,omitempty"` // by whose token a person acted
	Details   map[string]any `json:"details,omitempty"`
	Before    map[string]any `json:"before,omitempty"`
	After     map[string]any `json:"after,omitempty"`
	Erased    bool           `json:"erased,omitempty"` // what was personal in it was erased
	Cut       bool           `json:"cut,omitempty"`    // it was too long for its transport
}

// Who is an actor or a target.
type Who struct {
	Kind string `json:"kind"`
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// NewLine returns an event as it is given to others.
func NewLine(e *Entry) Line {
	return Line{
		Seq: e.Seq, ID: e.ID.String(), Time: stamp(e.At), Action: e.Action,
		Actor:  Who{Kind: e.Actor.Kind, ID: e.Actor.ID, Name: e.Actor.Name},
		Target: Who{Kind: e.TargetKind, ID: e.TargetID}, Address: e.Address, RequestID: e.RequestID, Session: e.Session, Client: e.Client,
		Details: e.Details, Before: e.Before, After: e.After, Erased: e.ErasedAt != 0,
	}
}

// stamp is an instant as RFC 5424 §6.2.3 and RFC 3339 write it.
func stamp(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }

// line is the event of a row of the chain that has one.
func (l *Link) line() (Line, error) {
	e, err := l.Row.Entry()
	return NewLine(&e), err
}
