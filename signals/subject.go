package signals

import (
	"github.com/gatehouse-id/gatehouse/internal/id"
)

// Formats of subject identifiers (RFC 9493 §3.2, SSF §3.2).
const (
	formatIssSub  = "iss_sub"
	formatOpaque  = "opaque"
	formatURI     = "uri"
	formatComplex = "complex"
)

// parseSubject reads a person, as iss_sub, or a person and one of their sessions,
// as complex. A session alone is not taken: by the rule of SSF §8.1.3.1 it would
// match what is told of every person.
func parseSubject(raw []byte, issuer string) (Subject, error) {
	o, err := parseObject(raw)
	if err != nil {
		return Subject{}, bad("subject must be an object")
	}
	format, err := o.need("format")
	if err != nil {
		return Subject{}, err
	}
	switch format {
	case formatIssSub:
		return parsePerson(o, issuer)
	case formatComplex:
		return parseComplex(o, issuer)
	}
	return Subject{}, bad("subject: the format must be iss_sub or complex")
}

// only refuses members that the format does not describe (RFC 9493 §3).
func (o object) only(names ...string) error {
	known := 0
	for _, name := range names {
		if _, ok := o[name]; ok {
			known++
		}
	}
	if known != len(o) {
		return bad("subject: a member that the format does not have, or that is not supported")
	}
	return nil
}

func parsePerson(o object, issuer string) (Subject, error) {
	if err := o.only("format", "iss", "sub"); err != nil {
		return Subject{}, err
	}
	iss, err := o.need("iss")
	if err != nil {
		return Subject{}, err
	}
	if iss != issuer {
		return Subject{}, bad("subject: iss must be this issuer")
	}
	sub, err := o.need("sub")
	if err != nil {
		return Subject{}, err
	}
	if len(sub) > 255 || !shown(sub) {
		return Subject{}, bad("subject: this cannot be a sub")
	}
	return Subject{Sub: sub}, nil
}

func parseComplex(o object, issuer string) (Subject, error) {
	if err := o.only("format", "user", "session"); err != nil {
		return Subject{}, err
	}
	user, err := parseObject(o["user"])
	if err != nil {
		return Subject{}, bad("subject: user is missing")
	}
	if format, err := user.need("format"); err != nil || format != formatIssSub {
		return Subject{}, bad("subject: the format of user must be iss_sub")
	}
	s, err := parsePerson(user, issuer)
	if err != nil {
		return Subject{}, err
	}
	raw, ok := o["session"]
	if !ok {
		return s, nil
	}
	session, err := parseObject(raw)
	if err != nil {
		return Subject{}, bad("subject: session must be an object")
	}
	if err := session.only("format", "id"); err != nil {
		return Subject{}, err
	}
	if format, err := session.need("format"); err != nil || format != formatOpaque {
		return Subject{}, bad("subject: the format of session must be opaque")
	}
	sid, err := session.need("id")
	if err != nil {
		return Subject{}, err
	}
	if _, err := id.Parse(sid); err != nil {
		return Subject{}, bad("subject: this cannot be a sid")
	}
	s.Session = sid
	return s, nil
}

// includes reports whether a stream that lists s wants an event about e: members
// that one of them lacks match anything (SSF §8.1.3.1).
func (s Subject) includes(e Subject) bool {
	return s.Sub == e.Sub && (s.Session == "" || e.Session == "" || s.Session == e.Session)
}

// covers reports whether a stream from which s was removed is spared an event
// about e: one that is about more than s is still sent.
func (s Subject) covers(e Subject) bool {
	return s.Sub == e.Sub && (s.Session == "" || s.Session == e.Session)
}

// identifier is a subject as a security event token names it.
type identifier struct {
	Format      string      `json:"format"`
	Issuer      string      `json:"iss,omitempty"`
	Sub         string      `json:"sub,omitempty"`
	ID          string      `json:"id,omitempty"`
	URI         string      `json:"uri,omitempty"`
	User        *identifier `json:"user,omitempty"`
	Session     *identifier `json:"session,omitempty"`
	Application *identifier `json:"application,omitempty"`
}

// identify names a subject: a person simply, a session together with its person.
func identify(issuer string, s Subject) identifier {
	var person, session *identifier
	if s.Sub != "" {
		person = &identifier{Format: formatIssSub, Issuer: issuer, Sub: s.Sub}
	}
	if s.Session == "" && person != nil {
		return *person
	}
	session = &identifier{Format: formatOpaque, ID: s.Session}
	return identifier{Format: formatComplex, User: person, Session: session}
}

// identifyAPI names all that is issued for an API.
func identifyAPI(audience string) identifier {
	return identifier{Format: formatComplex, Application: &identifier{Format: formatURI, URI: audience}}
}
