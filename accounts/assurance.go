package accounts

import "slices"

// ACRTwoFactors is the authentication context class of a sign-in by two factors of
// different kinds: the second authenticator assurance level of NIST SP 800-63B.
const ACRTwoFactors = "aal2"

// Authentication methods, as amr tells them (RFC 8176 §2).
const (
	amrPassword = "pwd"
	amrCode     = "otp"  // of an authenticator app, a recovery code, or one sent by mail
	amrPasskey  = "pop"  // proof of possession of a key
	amrVerified = "user" // the passkey's device made sure of its user
	amrFactors  = "mfa"
)

// Assurance returns the authentication context class that these methods reach. It
// is the one place that computes it: a password with a code or a passkey, or a
// passkey whose device verified its user, is two factors; all else is one. A
// remembered browser is no method, so it never counts here. A code by mail and one
// of an app are both something that one has, and together still one kind.
func Assurance(amr []string) string {
	has := func(method string) bool { return slices.Contains(amr, method) }
	switch {
	case has(amrPassword) && (has(amrCode) || has(amrPasskey)):
		return ACRTwoFactors
	case has(amrPasskey) && has(amrVerified) && has(amrFactors):
		return ACRTwoFactors
	}
	return ACRPassword
}

// ACRAtLeast reports whether a session of class have satisfies a wish for class
// want. No wish is always satisfied; a class that is not ours never is.
func ACRAtLeast(have, want string) bool {
	rank := func(acr string) int { return slices.Index([]string{ACRPassword, ACRTwoFactors}, acr) }
	return want == "" || rank(want) >= 0 && rank(have) >= rank(want)
}

// joined returns the methods of both lists, each once, in the order in which they
// are known, with "mfa" if together they are two factors.
func joined(lists ...[]string) []string {
	known := []string{amrPassword, amrCode, amrPasskey, amrVerified}
	var amr []string
	for _, method := range known {
		if slices.ContainsFunc(lists, func(list []string) bool { return slices.Contains(list, method) }) {
			amr = append(amr, method)
		}
	}
	if Assurance(append(slices.Clone(amr), amrFactors)) == ACRTwoFactors {
		amr = append(amr, amrFactors)
	}
	return amr
}
