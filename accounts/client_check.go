package accounts

// ValidateBackchannelURI checks where a client that people sign in to is told that a
// session has ended, as its registration does. Errors: ErrInvalid.
func ValidateBackchannelURI(raw string) error {
	return validateBackchannel(&Client{GrantTypes: []string{GrantAuthorizationCode}, BackchannelLogoutURI: raw})
}
