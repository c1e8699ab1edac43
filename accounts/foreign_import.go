package accounts

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
)

// ImportedHash returns the text under which another program's password hash is
// kept, so that Hasher.Verify can check it. It reads
//
//   - PHC strings: argon2id, argon2i, scrypt, and PBKDF2 with i=;
//   - Django's: pbkdf2_sha256, pbkdf2_sha1, argon2, bcrypt, bcrypt_sha256, scrypt;
//   - bcrypt: $2a$, $2b$, $2y$.
//
// Errors: ErrInvalid, with a reason that says nothing about the hash itself, also
// for one that is too dear to check.
func ImportedHash(s string) (string, error) {
	if len(s) > maxForeignText {
		return "", invalid("password hash: longer than %d bytes", maxForeignText)
	}
	scheme, rest, _ := strings.Cut(s, "$")
	var h foreignHash
	var err error
	switch scheme {
	case "":
		return storedForm(s)
	case "argon2", "bcrypt": // Django puts its own name before the string of others
		return storedForm("$" + strings.TrimPrefix(rest, "$"))
	case "bcrypt_sha256":
		return storedForm(s)
	case "pbkdf2_sha256", "pbkdf2_sha1":
		h, err = djangoPBKDF2(strings.TrimPrefix(scheme, "pbkdf2_"), rest)
	case "scrypt":
		h, err = djangoScrypt(rest)
	default:
		err = errForeign
	}
	if err != nil {
		return "", hashRefused(err)
	}
	return h.String(), nil
}

// storedForm checks what is kept as it came.
func storedForm(s string) (string, error) {
	if p, err := parsePHC(s); err == nil {
		return p.String(), nil
	}
	if strings.HasPrefix(s, "$argon2id$") {
		return "", invalid("password hash: argon2id that is malformed or too dear to check")
	}
	h, err := parseForeign(s)
	if err != nil {
		return "", hashRefused(err)
	}
	return h.String(), nil
}

func hashRefused(err error) error {
	if errors.Is(err, errForeign) || errors.Is(err, errPHC) {
		return invalid("password hash: not of a form that can be checked")
	}
	return err
}

// djangoPBKDF2 reads iterations$salt$key; the salt is a text.
func djangoPBKDF2(digest, s string) (foreignHash, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 3 {
		return nil, errForeign
	}
	rounds, ok := foreignNumber(parts[0], "")
	key, err := paddedBytes(parts[2])
	if !ok || err != nil {
		return nil, errForeign
	}
	h, err := newPBKDF2(digest, rounds, []byte(parts[1]), key)
	if err != nil {
		return nil, err
	}
	return h, nil
}

// djangoScrypt reads N$salt$r$p$key; the salt is a text.
func djangoScrypt(s string) (foreignHash, error) {
	parts := strings.Split(s, "$")
	if len(parts) != 5 {
		return nil, errForeign
	}
	n, okN := foreignNumber(parts[0], "")
	r, okR := foreignNumber(parts[2], "")
	p, okP := foreignNumber(parts[3], "")
	key, err := paddedBytes(parts[4])
	if !okN || !okR || !okP || err != nil {
		return nil, errForeign
	}
	h, err := newScrypt(n, r, p, []byte(parts[1]), key)
	if err != nil {
		return nil, err
	}
	return h, nil
}

// paddedBytes reads base64 with padding, of which each value has one text.
func paddedBytes(s string) ([]byte, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(s)
	// The decoder skips line breaks; encoding again gives them away.
	if err != nil || base64.StdEncoding.EncodeToString(b) != s {
		return nil, errForeign
	}
	return b, nil
}

// KeycloakCredential is a password as Keycloak's realm export holds it, in the
// list "credentials" of a user.
type KeycloakCredential struct {
	Type           string `json:"type"`
	SecretData     string `json:"secretData"`     // JSON in a text
	CredentialData string `json:"credentialData"` // JSON in a text
}

// keycloakHash is what the two texts of a credential hold.
type keycloakHash struct {
	Value      string              `json:"value"`
	Salt       string              `json:"salt"`
	Iterations uint64              `json:"hashIterations"`
	Algorithm  string              `json:"algorithm"`
	More       map[string][]string `json:"additionalParameters"`
}

// Hash returns the text under which the credential is kept, as ImportedHash does.
// Errors: ErrInvalid.
func (c KeycloakCredential) Hash() (string, error) {
	if c.Type != "password" {
		return "", invalid("credential: of another type than password")
	}
	var k keycloakHash
	for _, text := range []string{c.SecretData, c.CredentialData} {
		if len(text) > 4*maxForeignText || json.Unmarshal([]byte(text), &k) != nil {
			return "", invalid("credential: secretData or credentialData is not the JSON that Keycloak writes")
		}
	}
	key, errK := paddedBytes(k.Value)
	salt, errS := paddedBytes(k.Salt)
	if errors.Join(errK, errS) != nil {
		return "", invalid("credential: value or salt is not base64")
	}
	switch k.Algorithm {
	case "argon2":
		return k.argon2(salt, key)
	case "pbkdf2":
		k.Algorithm = "pbkdf2-sha1"
	}
	digest, ok := strings.CutPrefix(k.Algorithm, "pbkdf2-")
	if !ok {
		return "", invalid("credential: an algorithm that can not be checked")
	}
	h, err := newPBKDF2(digest, k.Iterations, salt, key)
	if err != nil {
		return "", err
	}
	return h.String(), nil
}

// argon2 makes a PHC string of Keycloak's parameters, and reads it.
func (k keycloakHash) argon2(salt, key []byte) (string, error) {
	one := func(name string) string {
		if list := k.More[name]; len(list) == 1 {
			return list[0]
		}
		return ""
	}
	kind := map[string]string{"id": "argon2id", "i": "argon2i"}[one("type")]
	if kind == "" || one("version") != "1.3" {
		return "", invalid("credential: Argon2 of another type than id and i, or of another version than 1.3")
	}
	var b strings.Builder
	for _, part := range []string{
		"$", kind, "$v=19$m=", one("memory"), ",t=", strconv.FormatUint(k.Iterations, 10), ",p=", one("parallelism"),
		"$", base64.RawStdEncoding.EncodeToString(salt), "$", base64.RawStdEncoding.EncodeToString(key),
	} {
		b.WriteString(part)
	}
	return storedForm(b.String())
}
