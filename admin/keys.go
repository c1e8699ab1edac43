package admin

import (
	"context"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/provider/keys"
)

// KeyStore reads signing keys.
type KeyStore interface {
	Keys(ctx context.Context) ([]keys.Record, int64, error)
}

// KeyKeeper rotates and removes signing keys. *keys.Keeper is one.
type KeyKeeper interface {
	Ensure(ctx context.Context, actor audit.Actor) error
	Rotate(ctx context.Context, actor audit.Actor, algorithm string, force bool) ([]keys.Change, error)
	Compromise(ctx context.Context, actor audit.Actor, kid, reason string) ([]keys.Change, error)
	// Due returns when each key comes to its next state, by kid.
	Due(records []keys.Record) map[string]int64
}

var _ KeyKeeper = (*keys.Keeper)(nil)

// maxReason bounds what is written into the log and the ledger of a reason.
const maxReason = 100

// ErrUnconfirmed is wrapped by the refusal of what cannot be taken back and was not
// confirmed by repeating its name.
var ErrUnconfirmed = fmt.Errorf("%w: confirm it by repeating the name", ErrState)

// SigningKeys returns the signing keys, in the order of algorithms, states and their making.
// What they hold of their private halves must not be shown. Errors: *Forbidden.
func (a *Admin) SigningKeys(ctx context.Context, c *Caller) ([]keys.Record, error) {
	if err := c.need(accounts.AdminKeysRead); err != nil {
		return nil, err
	}
	return a.keyRecords(ctx)
}

func (a *Admin) keyRecords(ctx context.Context) ([]keys.Record, error) {
	records, _, err := a.KeyRecords.Keys(ctx)
	if err != nil {
		return nil, fmt.Errorf("signing keys: %w", err)
	}
	for i := range records {
		records[i].Sealed = nil
	}
	keys.Sort(records)
	return records, nil
}

// KeysDue returns when each of the keys comes to its next state, by kid, in Unix
// milliseconds: when the next one may sign, when the active one is rotated out and when
// a retiring one is removed.
func (a *Admin) KeysDue(list []keys.Record) map[string]int64 { return a.Keeper.Due(list) }

// RotateKeys lets the next key of an algorithm sign, or of all if it is empty. Unless
// it is forced, it is refused as long as apps may not have seen the next key. Errors:
// *Forbidden, ErrState, accounts.ErrInvalid.
func (a *Admin) RotateKeys(ctx context.Context, c *Caller, algorithm string, force bool) ([]keys.Change, error) {
	if err := c.need(accounts.AdminKeysWrite); err != nil {
		return nil, err
	}
	if err := a.Keeper.Ensure(ctx, c.Actor); err != nil && !force {
		return nil, keyError(err)
	}
	changes, err := a.Keeper.Rotate(ctx, c.Actor, algorithm, force)
	return changes, keyError(err)
}

// CompromiseKey removes a key at once and revokes all that it signed; confirm repeats
// the kid. Errors: *Forbidden, ErrUnconfirmed, ErrState, accounts.ErrNotFound,
// accounts.ErrInvalid.
func (a *Admin) CompromiseKey(ctx context.Context, c *Caller, kid, confirm, reason string) ([]keys.Change, error) {
	if err := c.need(accounts.AdminKeysWrite); err != nil {
		return nil, err
	}
	if confirm != kid {
		return nil, ErrUnconfirmed
	}
	if err := checkReason(reason); err != nil {
		return nil, err
	}
	changes, err := a.Keeper.Compromise(ctx, c.Actor, kid, reason)
	return changes, keyError(err)
}

// checkReason refuses what would not fit on a line of a log. Errors:
// accounts.ErrInvalid, in a *Field.
func checkReason(reason string) error {
	if reason == "" || len(reason) > maxReason {
		return &Field{Name: "reason", Err: accounts.Because(accounts.ErrInvalid, "a reason has 1 to %d characters", maxReason)}
	}
	for _, r := range reason {
		if r < ' ' || r == 0x7f || r > 0x7e {
			return &Field{Name: "reason", Err: accounts.Because(accounts.ErrInvalid, "a reason is plain ASCII, for logs")}
		}
	}
	return nil
}

// keyError gives the errors about keys the meaning that callers may know; the texts
// are made for operators.
func keyError(err error) error {
	switch {
	case errors.Is(err, keys.ErrUnknownKey):
		return fmt.Errorf("%w: %w", accounts.ErrNotFound, err)
	case errors.Is(err, keys.ErrUnknownAlgorithm):
		return &Field{Name: "algorithm", Err: accounts.Because(accounts.ErrInvalid, "one of RS256, ES256, EdDSA, PS256")}
	case errors.Is(err, keys.ErrNextTooYoung), errors.Is(err, keys.ErrNoKey):
		return fmt.Errorf("%w: %w", ErrState, err)
	}
	return err
}
