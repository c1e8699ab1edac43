package accounts

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// maxImportLine bounds what is read for one account, in bytes.
const maxImportLine = 64 << 10

// importLine is one account as a line of the file tells of it. Nothing but username
// is needed.
type importLine struct {
	Subject       string `json:"sub"`
	Username      string `json:"username"`
	Email         string `json:"email"`
	EmailVerified bool   `json:"email_verified"`
	Name          string `json:"name"`
	Profile
	PasswordHash string              `json:"password_hash"`
	Credential   *KeycloakCredential `json:"credential"`
	Staff        bool                `json:"staff"`
	Superuser    bool                `json:"superuser"`
	Banned       bool                `json:"banned"`
	Groups       []string            `json:"groups"`
	CreatedAt    string              `json:"created_at"`      // RFC 3339
	LastSignInAt string              `json:"last_sign_in_at"` // RFC 3339
	// RequiredActions are what the person has to do before anything else.
	RequiredActions []Action `json:"required_actions"`
}

// importCandidate is an account that can be made if nobody has its names.
type importCandidate struct {
	line     int64
	user     User
	givenSub string
	groups   []id.ID
	banned   bool
}

// candidate reads a line. The line is returned as far as it could be read.
func (b *importBatcher) candidate(text importText) (*importCandidate, importLine, error) {
	line, err := text.decode()
	if err != nil {
		return nil, line, err
	}
	u, err := b.Users.build(NewUser{
		Username: line.Username, Email: line.Email, EmailVerified: line.EmailVerified, Name: line.Name,
		Profile: line.Profile, Subject: line.Subject, Staff: line.Staff, Superuser: line.Superuser,
	})
	if err != nil {
		return nil, line, err
	}
	c := &importCandidate{line: text.number, givenSub: line.Subject, banned: line.Banned}
	if err := b.fill(c, u, line); err != nil {
		return nil, line, err
	}
	c.user = *u
	return c, line, nil
}

// fill checks what Users.build does not know of.
func (b *importBatcher) fill(c *importCandidate, u *User, line importLine) (err error) {
	now := b.Now()
	if u.PasswordHash, err = line.hash(); err != nil {
		return err
	}
	for _, name := range line.Groups {
		key, err := GroupKey(name)
		if err != nil {
			return fmt.Errorf("group: %w", err)
		}
		g, ok := b.groups[key]
		if !ok {
			return invalid("there is no group %q", name)
		}
		c.groups = append(c.groups, g)
	}
	if u.RequiredActions, err = askable(line.RequiredActions); err != nil {
		return err
	}
	if u.CreatedAt, err = pastTime("created_at", line.CreatedAt, now); err != nil {
		return err
	}
	u.LastSignInAt, err = pastTime("last_sign_in_at", line.LastSignInAt, now)
	return err
}

// pastTime reads a time; an empty text is zero.
func pastTime(name, text string, now time.Time) (int64, error) {
	if text == "" {
		return 0, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil || at.After(now) || at.UnixMilli() <= 0 {
		return 0, invalid("%s: not a time in the past such as 2019-05-17T08:30:00Z", name)
	}
	return at.UnixMilli(), nil
}

func (l importLine) hash() (string, error) {
	switch {
	case l.Credential != nil && l.PasswordHash != "":
		return "", invalid("both password_hash and credential")
	case l.Credential != nil:
		return l.Credential.Hash()
	case l.PasswordHash != "":
		return ImportedHash(l.PasswordHash)
	}
	return "", nil
}

// stamped is the user at the time of the transaction, which may run again.
func (c *importCandidate) stamped(now int64) User {
	u := c.user
	u.UpdatedAt = now
	if u.CreatedAt == 0 {
		u.CreatedAt = now
	}
	if c.banned {
		u.BannedAt = now
	}
	return u
}

// taken says which of the names is somebody else's. It is empty for who is there
// already: the same username, and the same sub if the line has one, and the same
// mail address.
func (c *importCandidate) taken(namesakes []Namesake) string {
	reason := ""
	for _, n := range namesakes {
		switch {
		case n.Client && n.Subject == c.user.Subject:
			return "the sub is that of somebody who was deleted, or the client_id of an app"
		case n.UsernameKey == c.user.UsernameKey && !n.Client:
			if (c.givenSub == "" || c.givenSub == n.Subject) && n.EmailKey == c.user.EmailKey {
				return ""
			}
			reason = "the username is taken by another account"
		case n.Subject == c.user.Subject && reason == "":
			reason = "the sub is taken by another account"
		case c.user.EmailVerified && n.EmailVerified && n.EmailKey == c.user.EmailKey && reason == "":
			reason = "the mail address is verified for another account"
		}
	}
	if reason == "" {
		return "somebody took the username, the sub or the mail address at the same time"
	}
	return reason
}

func (c *importCandidate) refusal(reason string) ImportRefusal {
	return ImportRefusal{Line: c.line, Username: shortened(c.user.Username), Subject: shortened(c.givenSub), Reason: reason}
}

// shortened keeps what was put into the wrong field from filling the report.
func shortened(s string) string {
	const most = 80
	s = strings.ToValidUTF8(s, "\uFFFD")
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return s
}

// hashes name what nobody else may have.
func (c *importCandidate) hashes() []uint64 {
	names := []string{"u" + c.user.UsernameKey, "s" + c.user.Subject}
	if c.user.EmailVerified {
		names = append(names, "m"+c.user.EmailKey)
	}
	hashes := make([]uint64, len(names))
	for i, n := range names {
		sum := sha256.Sum256([]byte(n))
		hashes[i] = binary.BigEndian.Uint64(sum[:])
	}
	return hashes
}

// reasonText is an error without the word that marks it.
func reasonText(err error) string {
	return strings.ReplaceAll(err.Error(), ErrInvalid.Error()+": ", "")
}

// importText is a line and its number, from 1.
type importText struct {
	number int64
	text   []byte
	long   bool
}

func (t importText) blank() bool { return !t.long && len(bytes.TrimSpace(t.text)) == 0 }

// decode reads one JSON object and nothing behind it. A name that is not known is
// refused: it may be a misspelled one. The errors of encoding/json that repeat
// values are not passed on.
func (t importText) decode() (importLine, error) {
	var line importLine
	if t.long {
		return line, invalid("longer than %d bytes", maxImportLine)
	}
	if !utf8.Valid(t.text) {
		return line, invalid("not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(t.text))
	d.DisallowUnknownFields()
	if err := d.Decode(&line); err != nil {
		wrong, syntax := (*json.UnmarshalTypeError)(nil), (*json.SyntaxError)(nil)
		switch {
		case errors.As(err, &wrong):
			return line, invalid("%q is not of the type %s", wrong.Field, wrong.Type)
		case errors.As(err, &syntax), errors.Is(err, io.ErrUnexpectedEOF):
			return line, invalid("not JSON")
		}
		return line, invalid("%s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return line, invalid("something behind the JSON object")
	}
	return line, nil
}

// importLines reads a file line by line, and no more of a line than is allowed.
type importLines struct {
	from *bufio.Reader
	read int64 // lines
}

func newImportLines(file io.Reader) *importLines {
	r := bufio.NewReaderSize(file, maxImportLine)
	if mark, err := r.Peek(3); err == nil && string(mark) == "\ufeff" {
		_, _ = r.Discard(3) // they are in the buffer
	}
	return &importLines{from: r}
}

// next returns a line without its end; io.EOF behind the last one.
func (l *importLines) next() (importText, error) {
	text, err := l.from.ReadSlice('\n')
	long := errors.Is(err, bufio.ErrBufferFull)
	kept := bytes.Clone(bytes.TrimSuffix(text, []byte("\n")))
	for errors.Is(err, bufio.ErrBufferFull) {
		_, err = l.from.ReadSlice('\n')
	}
	if errors.Is(err, io.EOF) && (len(text) > 0 || long) {
		err = nil
	}
	if err != nil {
		return importText{}, err
	}
	l.read++
	return importText{number: l.read, text: kept, long: long}, nil
}

// batch returns the next lines, none at the end.
func (l *importLines) batch(n int) ([]importText, error) {
	var batch []importText
	for len(batch) < n {
		t, err := l.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read line %d: %w", l.read+1, err)
		}
		batch = append(batch, t)
	}
	return batch, nil
}

func (l *importLines) skip(n int64) error {
	for l.read < n {
		if _, err := l.next(); err != nil {
			return fmt.Errorf("skip to line %d: %w", n, err)
		}
	}
	return nil
}
