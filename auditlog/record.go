package auditlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// Formats of a row.
const (
	formatPlain = 0 // of before the chain: what is personal stands where it was written
	formatApart = 1 // what is personal is kept apart, with commitments to it
)

const (
	saltSize = 16
	// maxText and maxItems bound what an event tells of one value. Whoever changes more
	// people than that at once writes several events (audit.MaxListed).
	maxText  = 500 // characters
	maxItems = audit.MaxListed
)

// detailVia is the name in the details of the app through which somebody acted: there
// it is part of what is chained, in a format that older code reads too.
const detailVia = "via"

// Names under which what is personal is kept, beside "details.x", "before.x" and
// "after.x".
const (
	fieldActorName = "actor_name"
	fieldAddress   = "address"
)

// Record is a row of the log as it is stored. The texts Details, Before, After,
// Commitments and Personal are JSON objects.
type Record struct {
	ID                            id.ID
	At                            int64 // Unix milliseconds
	Format                        int
	ActorKind, ActorID, ActorName string
	Action                        string
	TargetKind, TargetID          string
	Details, Before, After        string
	RequestID, Address, Session   string
	Commitments                   string
	Personal                      string
	Salt                          []byte
	ErasedAt                      int64 // Unix milliseconds
	Seq                           int64 // zero while it waits
	// Concerns are the ids by which a search finds it besides its actor, its target and
	// its request. They are no part of what is chained, and set in new rows alone.
	Concerns []string
}

// NewRecord makes the row of an event: long texts are cut, what is personal is put
// apart.
func NewRecord(eventID id.ID, at int64, e audit.Event, from audit.Origin) (*Record, error) {
	r := &Record{
		ID: eventID, At: at, ActorKind: e.Actor.Kind, ActorID: e.Actor.ID, ActorName: e.Actor.Name, Action: e.Action,
		TargetKind: e.TargetKind, TargetID: e.TargetID, RequestID: from.RequestID, Address: from.Address, Session: from.Session,
		Concerns: concerns(e, from),
	}
	details, err := plain(e.Details)
	if err != nil {
		return nil, fmt.Errorf("details: %w", err)
	}
	if from.Client != "" && from.Client != e.Actor.ID {
		if details == nil {
			details = map[string]any{}
		}
		details[detailVia] = from.Client
	}
	before, err := plain(e.Before)
	if err != nil {
		return nil, fmt.Errorf("values before: %w", err)
	}
	after, err := plain(e.After)
	if err != nil {
		return nil, fmt.Errorf("values after: %w", err)
	}
	return r, r.split(details, before, after)
}

// upgrade brings a row of the code before the chain into the present format.
func (r *Record) upgrade() error {
	if r.Format != formatPlain {
		return nil
	}
	parts := [3]map[string]any{}
	for i, text := range []string{r.Details, r.Before, r.After} {
		var values map[string]json.RawMessage // as they are: no number is rounded
		if err := parse(text, &values); err != nil {
			return fmt.Errorf("event %s: %w", r.ID, err)
		}
		parts[i] = map[string]any{}
		for name, value := range values {
			parts[i][name] = value
		}
	}
	return r.split(parts[0], parts[1], parts[2])
}

// split puts what is personal apart and commits to it.
func (r *Record) split(details, before, after map[string]any) error {
	personal := map[string]any{}
	put := func(name, value string) {
		if value != "" {
			personal[name] = value
		}
	}
	put(fieldActorName, r.ActorName)
	put(fieldAddress, r.Address)
	r.ActorName, r.Address = "", ""
	for prefix, values := range map[string]map[string]any{"details.": details, "before.": before, "after.": after} {
		for name, value := range values {
			if audit.Personal(r.TargetKind, name) {
				personal[prefix+name] = value
				delete(values, name)
			}
		}
	}
	var err error
	for _, p := range []struct {
		to     *string
		values map[string]any
	}{{&r.Details, details}, {&r.Before, before}, {&r.After, after}, {&r.Personal, personal}} {
		if *p.to, err = text(p.values); err != nil {
			return err
		}
	}
	r.Format, r.Salt = formatApart, []byte{}
	if len(personal) > 0 {
		r.Salt = secret.Random(saltSize)
	}
	r.Commitments, err = r.commit()
	return err
}

// commit returns the commitments to what is personal.
func (r *Record) commit() (string, error) {
	var values map[string]json.RawMessage
	if err := parse(r.Personal, &values); err != nil {
		return "", err
	}
	sums := map[string]any{}
	for name, value := range values {
		h := sha256.New()
		h.Write(r.Salt)
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(name))))
		h.Write([]byte(name))
		h.Write(value)
		sums[name] = base64.RawURLEncoding.EncodeToString(h.Sum(nil))
	}
	return text(sums)
}

// errChanged says that what is personal in a row is not what was committed to.
var errChanged = errors.New("what is personal in it was changed")

// proven checks what is personal against the commitments.
func (r *Record) proven() error {
	if r.ErasedAt != 0 && r.Personal == "{}" && len(r.Salt) == 0 {
		return nil
	}
	sums, err := r.commit()
	if err != nil || sums != r.Commitments {
		return errChanged
	}
	return nil
}

// Sum returns the hash of a row behind the one whose hash is previous, as number seq
// of the chain. Every part has its length before it: no byte can move from one to
// its neighbour.
func (r *Record) sum(previous []byte, seq int64) []byte {
	b := make([]byte, 0, 1024)
	add := func(part string) {
		b = binary.BigEndian.AppendUint64(b, uint64(len(part)))
		b = append(b, part...)
	}
	add("gatehouse audit 1")
	add(string(previous))
	for _, n := range []int64{seq, int64(r.Format), r.At} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	for _, part := range []string{
		string(r.ID[:]), r.ActorKind, r.ActorID, r.ActorName, r.Action, r.TargetKind, r.TargetID,
		r.Details, r.Before, r.After, r.RequestID, r.Address, r.Session, r.Commitments,
	} {
		add(part)
	}
	sum := sha256.Sum256(b)
	return sum[:]
}

// Entry puts a row together for readers.
func (r *Record) Entry() (Entry, error) {
	e := Entry{ID: r.ID, At: r.At, Seq: r.Seq, ErasedAt: r.ErasedAt}
	e.Actor = audit.Actor{Kind: r.ActorKind, ID: r.ActorID, Name: r.ActorName}
	e.Action, e.TargetKind, e.TargetID = r.Action, r.TargetKind, r.TargetID
	e.RequestID, e.Address, e.Session = r.RequestID, r.Address, r.Session
	for _, p := range []struct {
		text string
		to   *map[string]any
	}{{r.Details, &e.Details}, {r.Before, &e.Before}, {r.After, &e.After}} {
		if p.text == "{}" {
			continue
		}
		if err := parse(p.text, p.to); err != nil {
			return e, fmt.Errorf("event %s: %w", r.ID, err)
		}
	}
	if via, ok := e.Details[detailVia].(string); ok {
		e.Client = via
		delete(e.Details, detailVia)
		if len(e.Details) == 0 {
			e.Details = nil
		}
	}
	if r.Personal == "{}" {
		return e, nil
	}
	var personal map[string]any
	if err := parse(r.Personal, &personal); err != nil {
		return e, fmt.Errorf("event %s: %w", r.ID, err)
	}
	e.join(personal)
	return e, nil
}

// join puts what is personal back to where it belongs.
func (e *Entry) join(personal map[string]any) {
	for name, value := range personal {
		switch name {
		case fieldActorName:
			e.Actor.Name, _ = value.(string)
		case fieldAddress:
			e.Address, _ = value.(string)
		default:
			for prefix, to := range map[string]*map[string]any{"details.": &e.Details, "before.": &e.Before, "after.": &e.After} {
				if len(name) > len(prefix) && name[:len(prefix)] == prefix {
					if *to == nil {
						*to = map[string]any{}
					}
					(*to)[name[len(prefix):]] = value
				}
			}
		}
	}
}

// Persons returns the subs of the people whom a row is about or who made it.
func (r *Record) persons() []string {
	var subs []string
	if r.TargetKind == audit.UserTarget && r.TargetID != "" {
		subs = append(subs, r.TargetID)
	}
	if r.ActorKind == audit.Person && !slices.Contains(subs, r.ActorID) {
		subs = append(subs, r.ActorID)
	}
	return subs
}

func parse(text string, to any) error {
	if err := json.Unmarshal([]byte(text), to); err != nil {
		return fmt.Errorf("stored values: %w", err)
	}
	return nil
}

func text(values map[string]any) (string, error) {
	if len(values) == 0 {
		return "{}", nil
	}
	b, err := json.Marshal(values)
	return string(b), err
}

// plain turns values into what JSON can say and cuts what is long, in a map of its
// own.
func plain(values map[string]any) (map[string]any, error) {
	out := maps.Clone(values)
	for name, value := range out {
		switch v := value.(type) {
		case bool, int, int64, nil:
			continue
		case string:
			out[name] = cutText(v)
			continue
		}
		b, err := json.Marshal(value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		var loose any
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		if err := d.Decode(&loose); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		out[name] = cut(loose)
	}
	return out, nil
}

func cut(value any) any {
	switch v := value.(type) {
	case string:
		return cutText(v)
	case []any:
		more := len(v) - maxItems
		if more > 0 {
			v = append(v[:maxItems:maxItems], fmt.Sprintf("and %d more", more))
		}
		for i := range v {
			v[i] = cut(v[i])
		}
		return v
	case map[string]any:
		for name := range v {
			v[name] = cut(v[name])
		}
	}
	return value
}

func cutText(s string) string {
	if len(s) <= maxText || utf8.RuneCountInString(s) <= maxText {
		return s
	}
	return string([]rune(s)[:maxText]) + "…"
}
