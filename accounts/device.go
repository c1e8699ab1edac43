package accounts

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

const (
	devicePurpose = "remembered-device"
	deviceSecret  = 32
)

// RememberedDevice is a browser in which a second factor was given and that needs
// none for a while. It is no factor itself.
type RememberedDevice struct {
	ID         id.ID
	UserID     id.ID
	TokenHash  []byte
	Rev        int64  // position at which the sign-in was proven (L2)
	Binding    []byte // of the password with which it was remembered
	UserAgent  string
	Address    string
	CreatedAt  int64
	LastUsedAt int64
	ExpiresAt  int64
}

// DeviceStore keeps remembered browsers.
type DeviceStore interface {
	InsertDevice(ctx context.Context, d *RememberedDevice) error
	// DeviceByID returns one of a user, expired or not.
	DeviceByID(ctx context.Context, userID, deviceID id.ID) (*RememberedDevice, error)
	DevicesOf(ctx context.Context, userID id.ID, now int64) ([]RememberedDevice, error) // not expired, oldest first
	UseDevice(ctx context.Context, deviceID id.ID, now int64) error
	// ForgetDevices removes all of a user and returns how many.
	ForgetDevices(ctx context.Context, userID id.ID) (int, error)
}

// ForgetDevices ends all remembered browsers of a user.
func (s *Factors) ForgetDevices(ctx context.Context, actor audit.Actor, user *User) error {
	return s.record(ctx, actor, func(ctx context.Context, _ int64) (*effect, error) {
		u, err := s.Users.LockUser(ctx, user.Subject)
		if err != nil {
			return nil, fmt.Errorf("lock user: %w", err)
		}
		n, err := s.Devices.ForgetDevices(ctx, u.ID)
		if err != nil || n == 0 {
			return nil, err
		}
		e := userEffect("user.devices.forget", u, map[string]any{"devices": n})
		return e.changed(values{"devices": n}, values{"devices": 0}), nil
	})
}

// remember makes a browser one that needs no second factor for a while, and returns
// the value of its cookie. It ends with the password and at whatever ends all
// sessions of the user, for it is bound to both.
func (s *Factors) remember(ctx context.Context, u *User, rev int64, m Meta, now int64) (string, error) {
	d := &RememberedDevice{
		ID: id.New(), UserID: u.ID, Rev: rev, Binding: binding(s.Keys, u), UserAgent: clip(m.UserAgent), Address: clip(m.Address),
		CreatedAt: now, LastUsedAt: now, ExpiresAt: now + RememberedFor.Milliseconds(),
	}
	raw := secret.Random(deviceSecret)
	d.TokenHash = s.Keys.MAC(devicePurpose, d.ID[:], d.UserID[:], raw)
	if err := s.Devices.InsertDevice(ctx, d); err != nil {
		return "", fmt.Errorf("remember browser: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(append(d.ID[:], raw...)), nil
}

// remembers reports whether a cookie is that of a browser which this user has had
// remembered, and notes its use.
func (s *Factors) remembers(ctx context.Context, u *User, cookie string) (bool, error) {
	encoding := base64.RawURLEncoding.Strict()
	if len(cookie) != encoding.EncodedLen(len(id.ID{})+deviceSecret) {
		return false, nil
	}
	raw, err := encoding.DecodeString(cookie)
	if err != nil || len(raw) != len(id.ID{})+deviceSecret { // the decoder skips line breaks
		return false, nil
	}
	d, err := s.Devices.DeviceByID(ctx, u.ID, id.ID(raw[:16]))
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("find remembered browser: %w", err)
	}
	now := s.now()
	if !s.Keys.Verify(devicePurpose, d.TokenHash, d.ID[:], u.ID[:], raw[16:]) || !s.good(d, u, now) {
		return false, nil
	}
	if err := s.Devices.UseDevice(ctx, d.ID, now); err != nil {
		return false, fmt.Errorf("note use of a remembered browser: %w", err)
	}
	return true, nil
}

// good reports whether a remembered browser is one still.
func (s *Factors) good(d *RememberedDevice, u *User, now int64) bool {
	return now < d.ExpiresAt && d.Rev >= u.ValidFrom && bound(s.Keys, d.Binding, u)
}
