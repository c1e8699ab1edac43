package signals

import (
	"context"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Method is how a stream is delivered; the values are those of the protocol
// (SSF §6.1).
type Method string

// The methods.
const (
	Push Method = "urn:ietf:rfc:8935"
	Poll Method = "urn:ietf:rfc:8936"
)

// Status is whether a stream is delivered (SSF §8.1.2).
type Status string

// The statuses.
const (
	Enabled  Status = "enabled"
	Paused   Status = "paused"   // events are held
	Disabled Status = "disabled" // events are dropped
)

// Stream is what one receiver has asked for.
type Stream struct {
	ID          id.ID
	ClientID    string
	Method      Method
	Endpoint    string // where it is pushed to; empty for Poll
	Sealed      []byte // the receiver's Authorization header, encrypted; nil if it has none
	Requested   []string
	Description string
	Status      Status
	Reason      string
	PushJob     id.ID // the job that delivers; zero while nothing waits
	PushAt      int64 // when it was made or last began to run, Unix milliseconds
	Wanted      int64 // rises with what is put into the stream
	CreatedAt   int64 // Unix milliseconds
	UpdatedAt   int64 // Unix milliseconds

	// What its client is now: filled by the readers, never written.
	Live     bool   // enabled, and holding signals:manage
	Every    bool   // holding signals:all
	Audience string // of the API whose resource server it is, or empty
}

// Subject is a person, or one of their sessions.
type Subject struct {
	Sub     string
	Session string // sid; empty for all of the person
}

// Listed is a subject as a stream lists it.
type Listed struct {
	StreamID id.ID
	Subject
	Included bool // false: a stream about everybody is not about them
}

// Event waits in a stream for its receiver.
type Event struct {
	StreamID  id.ID
	JTI       string
	ID        id.ID  // events are delivered in the order of ids
	Claims    []byte // of the security event token, as JSON
	Announces bool   // tells of the stream itself; delivered even while it is paused
	CreatedAt int64  // Unix milliseconds
}

// StreamStore keeps streams. What it does not find is accounts.ErrNotFound.
type StreamStore interface {
	// InsertStream returns accounts.ErrConflict if the client has a stream.
	InsertStream(ctx context.Context, s *Stream) error
	StreamOf(ctx context.Context, clientID string) (*Stream, error)
	StreamByID(ctx context.Context, streamID id.ID) (*Stream, error)
	// LockStreams returns those of the streams that exist, in the order of their
	// ids, locked to the end of the transaction.
	LockStreams(ctx context.Context, streamIDs []id.ID) ([]Stream, error)
	// UpdateStream writes method, endpoint, header, requested events, description,
	// status and reason.
	UpdateStream(ctx context.Context, s *Stream) error
	DeleteStream(ctx context.Context, streamID id.ID) error
}

// SubjectStore keeps whom streams are about, and knows whose sessions are whose.
type SubjectStore interface {
	PutSubject(ctx context.Context, l Listed, now int64) error
	DropSubject(ctx context.Context, streamID id.ID, s Subject) error
	// ForgetSubjects drops what any stream lists about these people.
	ForgetSubjects(ctx context.Context, subs []string) error
	CountSubjects(ctx context.Context, streamID id.ID) (int, error)
	// ListedSubjects returns what streams list about these people.
	ListedSubjects(ctx context.Context, subs []string) ([]Listed, error)
	// SessionSubjects returns whose the sessions are, for those that exist.
	SessionSubjects(ctx context.Context, sessions []id.ID) (map[id.ID]string, error)
}

// AccountStore says how a person stands, and how far the ledger was passed on to us.
type AccountStore interface {
	// UserBySubject returns accounts.ErrNotFound for who was deleted.
	UserBySubject(ctx context.Context, subject string) (*accounts.User, error)
	// LockRelay returns the cursor of our relay and keeps it to the transaction; false
	// if it is being moved.
	LockRelay(ctx context.Context, name string) (position int64, ok bool, err error)
}

// EventStore keeps what waits.
type EventStore interface {
	// ListeningStreams returns the streams of live clients that are not disabled.
	ListeningStreams(ctx context.Context) ([]Stream, error)
	// InsertEvents passes over what a stream has already under that jti.
	InsertEvents(ctx context.Context, events []Event) error
	// CountEvents returns how many wait in each of the streams.
	CountEvents(ctx context.Context, streamIDs []id.ID) (map[id.ID]int, error)
	// WaitingEvents returns the oldest events of a stream, only those that announce
	// something unless all are asked for.
	WaitingEvents(ctx context.Context, streamID id.ID, all bool, limit int) ([]Event, error)
	// DropEvents removes events by jti, and DropOlder those made before a time.
	DropEvents(ctx context.Context, streamID id.ID, jtis []string) (int, error)
	DropOlder(ctx context.Context, streamID id.ID, before int64) (int, error)
}

// DeliveryStore says who delivers what waits, and when something is overdue.
type DeliveryStore interface {
	// WantPush notes that something waits, and that job delivers it unless another
	// one does already. It reports whether job is the one. Poll streams have none.
	WantPush(ctx context.Context, streamID, job id.ID, now int64) (bool, error)
	// FinishPush ends the job, unless something was wanted since the stream was read.
	FinishPush(ctx context.Context, streamID, job id.ID, wanted int64) (bool, error)
	// HandOverPush puts another job in the place of one that is still the stream's.
	HandOverPush(ctx context.Context, streamID, from, to id.ID, now int64) (bool, error)
	// NoteVerification notes a request for verification, unless the last one was less than
	// interval milliseconds ago.
	NoteVerification(ctx context.Context, streamID id.ID, now, interval int64) (bool, error)
	// OverdueStreams lists streams in which something was made before a time.
	OverdueStreams(ctx context.Context, before int64) ([]id.ID, error)
	// StalledStreams lists streams to be pushed whose events wait although no job was at
	// work since a time.
	StalledStreams(ctx context.Context, since int64) ([]Stream, error)
}
