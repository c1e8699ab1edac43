package accounts

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// Picture is the portrait of a person, as we made it: PictureSize pixels wide and
// high, with nothing of the file that they sent but what can be seen.
type Picture struct {
	UserID    id.ID
	Name      string // random: the address tells nothing of the person
	Type      string // image/jpeg or image/png
	Data      []byte
	UpdatedAt int64
}

// PictureStore keeps one picture of each person.
type PictureStore interface {
	// PutPicture inserts or replaces the picture of its user.
	PutPicture(ctx context.Context, p *Picture) error
	// PictureByName returns ErrNotFound for what was replaced or removed.
	PictureByName(ctx context.Context, name string) (*Picture, error)
	// DeletePicture removes the picture of a user; none is no error.
	DeletePicture(ctx context.Context, userID id.ID) error
}

// pictureName is the number of random bytes in a picture's name.
const pictureName = 16

// ValidPictureName reports whether a name is one that SetPicture makes.
func ValidPictureName(name string) bool {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(name)
	return err == nil && len(raw) == pictureName && len(name) == base64.RawURLEncoding.EncodedLen(pictureName)
}

// pictures is the bucket of an account's pictures: each costs as much processor time
// as many sign-ins, whether it can be read in the end or not.
func pictures() bucket { return bucket{"pictures", 10, 5 * time.Minute, false} }

// SetPicture makes what a person sent into their picture. Each gets a new name, so
// that caches may keep it. An account has 10 tries, and then one in 5 minutes.
// Errors: *Throttled, ErrPicture, ErrPictureSize, ErrBusy, ErrNotFound.
func (s *Profiles) SetPicture(ctx context.Context, actor audit.Actor, subject string, file []byte) error {
	limits := throttle{s.Limiter, s.Keys, s.Logger}
	if _, err := limits.take(ctx, payment{limits.key("pictures", subject), pictures()}); err != nil {
		return err
	}
	// Before the transaction: it takes longer than all of it.
	data, mediaType, err := s.Portraits.Make(ctx, file)
	if err != nil {
		return err
	}
	name := base64.RawURLEncoding.EncodeToString(secret.Random(pictureName))
	return s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		u, err := s.Users.LockUser(ctx, subject)
		if err != nil {
			return nil, fmt.Errorf("lock user: %w", err)
		}
		before := userValues(u)
		p := &Picture{UserID: u.ID, Name: name, Type: mediaType, Data: data, UpdatedAt: now}
		if err := s.Pictures.PutPicture(ctx, p); err != nil {
			return nil, fmt.Errorf("put picture: %w", err)
		}
		u.Profile.Picture, u.UpdatedAt = s.PictureURL(name), now
		if err := s.Users.UpdateUser(ctx, u); err != nil {
			return nil, fmt.Errorf("update user: %w", err)
		}
		return userEffect("user.picture.change", u, nil).changed(before, userValues(u)), nil
	})
}

// RemovePicture takes a person's picture away, also one that an import left at
// another address.
func (s *Profiles) RemovePicture(ctx context.Context, actor audit.Actor, subject string) error {
	return s.record(ctx, actor, func(ctx context.Context, now int64) (*effect, error) {
		u, err := s.Users.LockUser(ctx, subject)
		if err != nil {
			return nil, fmt.Errorf("lock user: %w", err)
		}
		if u.Profile.Picture == "" {
			return nil, nil
		}
		if err := s.Pictures.DeletePicture(ctx, u.ID); err != nil && !errors.Is(err, ErrNotFound) {
			return nil, fmt.Errorf("delete picture: %w", err)
		}
		before := userValues(u)
		u.Profile.Picture, u.UpdatedAt = "", now
		if err := s.Users.UpdateUser(ctx, u); err != nil {
			return nil, fmt.Errorf("update user: %w", err)
		}
		return userEffect("user.picture.remove", u, nil).changed(before, userValues(u)), nil
	})
}
