package accounts

import (
	"errors"
	"time"
)

// RefusedClaims names those of the claims that Import would refuse, so that whoever
// writes a line can leave them out. Parts of the address are told as "address".
func RefusedClaims(p Profile, now time.Time) []string {
	_, err := Person{Profile: p}.brought(now)
	var wrong *ProfileError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &wrong):
		return []string{"phone_number_verified"}
	}
	known := map[string]bool{
		"given_name": true, "family_name": true, "middle_name": true, "nickname": true, "profile": true, "picture": true,
		"website": true, "gender": true, "birthdate": true, "zoneinfo": true, "locale": true, "phone_number": true,
	}
	var names []string
	for _, f := range wrong.Fields {
		if known[f.Claim] {
			names = append(names, f.Claim)
		} else {
			names = append(names, "address")
		}
	}
	return names
}

// Check reports whether an API can have the permission. Errors: ErrInvalid.
func (n NewPermission) Check() error { return validatePermission(n) }
