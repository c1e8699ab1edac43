package accounts

import (
	"bufio"
	"context"
	"crypto/sha1" // the service's own choice; nothing rests on it but a look into a list
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

const (
	breachPrefix  = 5 // hexadecimal digits that leave: about a thousand passwords share them
	breachTimeout = time.Second
	breachAnswer  = 1 << 20
)

// RangeSource asks a service for the SHA-1 of all stolen passwords that begin with
// five hexadecimal digits: the rest of one and a count a line, "0018A...:3", as the
// range API of Have I Been Pwned answers. Lines with a count of zero are padding.
type RangeSource interface {
	Range(ctx context.Context, prefix string) (io.ReadCloser, error)
}

// Breaches tells whether a password was stolen somewhere. Nothing but five digits of
// its hash leaves the machine. A service that does not answer within a second
// refuses nobody: the answer is no, and the log says so.
type Breaches struct {
	Source RangeSource
	Log    *slog.Logger
}

// Known reports whether the password is on the list. A nil Breaches knows none.
func (b *Breaches) Known(ctx context.Context, password secret.Text) bool {
	if b == nil {
		return false
	}
	known, err := b.look(ctx, password)
	if err != nil {
		b.Log.WarnContext(ctx, "breached passwords could not be asked for; the password was taken", "error", err)
	}
	return known
}

func (b *Breaches) look(ctx context.Context, password secret.Text) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, breachTimeout)
	defer cancel()
	sum := sha1.Sum([]byte(password.Reveal()))
	digits := strings.ToUpper(hex.EncodeToString(sum[:]))
	answer, err := b.Source.Range(ctx, digits[:breachPrefix])
	if err != nil {
		return false, fmt.Errorf("ask: %w", err)
	}
	defer func() { _ = answer.Close() }() // only read
	lines := bufio.NewScanner(io.LimitReader(answer, breachAnswer))
	for lines.Scan() {
		rest, count, ok := strings.Cut(strings.TrimSpace(lines.Text()), ":")
		if ok && strings.EqualFold(rest, digits[breachPrefix:]) && strings.Trim(count, "0") != "" {
			return true, nil
		}
	}
	if err := lines.Err(); err != nil {
		return false, fmt.Errorf("read the answer: %w", err)
	}
	return false, nil
}
