package importing

import (
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// Person is somebody of a file.
type Person struct {
	Subject, Username, Email, Name string
	EmailVerified                  bool
	Profile                        accounts.Profile
	PasswordHash                   string
	Credential                     *accounts.KeycloakCredential
	Groups                         []string // names of groups of the plan
	Staff, Superuser, Banned       bool
	CreatedAt, LastSignInAt        time.Time
	RequiredActions                []accounts.Action
}

// People reads the people of a file one after another.
type People interface {
	// Next returns the next one, nil for one who cannot be taken, and io.EOF behind the
	// last.
	Next() (*Person, error)
}

// line is a Person as accounts.Import reads one.
type line struct {
	Subject       string `json:"sub,omitempty"`
	Username      string `json:"username"`
	Email         string `json:"email,omitempty"`
	EmailVerified bool   `json:"email_verified,omitempty"`
	Name          string `json:"name,omitempty"`
	accounts.Profile
	PasswordHash    string                       `json:"password_hash,omitempty"`
	Credential      *accounts.KeycloakCredential `json:"credential,omitempty"`
	Groups          []string                     `json:"groups,omitempty"`
	Staff           bool                         `json:"staff,omitempty"`
	Superuser       bool                         `json:"superuser,omitempty"`
	Banned          bool                         `json:"banned,omitempty"`
	CreatedAt       string                       `json:"created_at,omitempty"`
	LastSignInAt    string                       `json:"last_sign_in_at,omitempty"`
	RequiredActions []accounts.Action            `json:"required_actions,omitempty"`
}

// lines writes people as the JSON Lines that accounts.Import reads, one line for
// everybody, so that a number always means the same one.
type lines struct {
	people People
	report *Report
	now    time.Time
	at     string // for the @ in usernames
	told   int64  // lines of earlier runs, whose notes were written then
	read   int64
	buffer []byte
}

// Read implements io.Reader.
func (l *lines) Read(p []byte) (int, error) {
	if len(l.buffer) == 0 {
		l.report.muted = l.read < l.told
		person, err := l.people.Next()
		if err != nil {
			return 0, err // io.EOF too
		}
		l.read++
		if person != nil {
			if l.buffer, err = json.Marshal(l.line(person)); err != nil {
				return 0, err
			}
		}
		l.report.muted = false
		l.buffer = append(l.buffer, '\n')
		if l.report.err != nil {
			return 0, l.report.err
		}
	}
	n := copy(p, l.buffer)
	l.buffer = l.buffer[n:]
	return n, nil
}

// line leaves out what an account cannot have, and notes it: who has an odd address
// or an old hash is somebody all the same.
func (l *lines) line(p *Person) line {
	note := func(reason string) { l.report.Note("user", p.Username, reason) }
	out := line{
		Subject: p.Subject, Username: p.Username, Email: p.Email, EmailVerified: p.EmailVerified && p.Email != "", Name: strings.TrimSpace(p.Name),
		Profile: p.Profile, Groups: p.Groups, Staff: p.Staff, Superuser: p.Superuser, Banned: p.Banned, RequiredActions: p.RequiredActions,
		CreatedAt: l.time(p.CreatedAt), LastSignInAt: l.time(p.LastSignInAt),
	}
	if l.at != "" {
		out.Username = strings.ReplaceAll(out.Username, "@", l.at)
	}
	if out.Email != "" {
		if _, err := accounts.EmailKey(out.Email); err != nil {
			out.Email, out.EmailVerified = "", false
			note("the mail address is none that Gatehouse takes")
		}
	}
	l.claims(&out, note)
	hash, err := p.PasswordHash, error(nil)
	if p.Credential != nil {
		hash, err = p.Credential.Hash()
	}
	if err == nil && hash != "" {
		_, err = accounts.ImportedHash(hash)
	}
	if err != nil {
		note("the password has to be reset: its hash " + hashReason(err))
	} else {
		out.PasswordHash, out.Credential = p.PasswordHash, p.Credential
	}
	return out
}

// hashReason keeps apart what is unknown and what is too dear.
func hashReason(err error) string {
	if strings.Contains(err.Error(), "too dear") {
		return "is too dear to check"
	}
	return "is of a form that can not be checked"
}

// claims leaves out what Import would refuse.
func (l *lines) claims(out *line, note func(string)) {
	refused := accounts.RefusedClaims(out.Profile, l.now)
	if len(refused) == 0 {
		return
	}
	slices.Sort(refused)
	text, err := json.Marshal(out.Profile)
	var members map[string]json.RawMessage
	if err != nil || json.Unmarshal(text, &members) != nil {
		return // Import refuses the line
	}
	for _, name := range slices.Compact(refused) {
		delete(members, name)
		note("the claim " + name + " is none that Gatehouse takes")
	}
	if _, number := members["phone_number"]; !number {
		delete(members, "phone_number_verified")
	}
	if text, err = json.Marshal(members); err != nil {
		return
	}
	var kept accounts.Profile
	if json.Unmarshal(text, &kept) == nil {
		out.Profile = kept
	}
}

// time is empty for what cannot have been.
func (l *lines) time(at time.Time) string {
	if at.IsZero() || at.UnixMilli() <= 0 || at.After(l.now) {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

var _ io.Reader = (*lines)(nil)

// ErrNobody is returned by sources for a file without the people who were asked for.
var ErrNobody = errors.New("the file holds nobody")
