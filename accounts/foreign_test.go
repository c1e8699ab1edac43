package accounts

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// foreignPassword has a letter beyond ASCII and a space.
const foreignPassword = secret.Text("corréct horse")

// foreignSamples were made by the programs themselves: Django 5.2, passlib 1.7,
// argon2-cffi 25 and bcrypt 5, with small costs and one each with Django's defaults.
func foreignSamples() map[string]string {
	return map[string]string{
		"Django pbkdf2_sha256": "pbkdf2_sha256$1000$eWlq59RnQq1b5opNrIyoSc$vVm1CgnmomxCHaMl+4XYIiimwzHQW0eW5vzhStUMc0U=",
		"Django pbkdf2_sha1":   "pbkdf2_sha1$1000$y41kHNQ8VdspVwl214bMDd$j984Xf5fAQoi1P106LbKZB3SjQ0=",
		"Django argon2":        "argon2$argon2id$v=19$m=1024,t=2,p=2$QjJPejh4VTZOd0NxczMzdDJyUGhBMA$umyfG/0rBMxmPplOp2R8LgHItnjhgMNLhZ9YiWb9VDE",
		"Django bcrypt_sha256": "bcrypt_sha256$$2b$04$.E7yd2g.eTmOwMD3C99Tfub7CriUyrr8BMdoovWRody9lU16tRdSa",
		"Django bcrypt":        "bcrypt$$2b$04$kxEcvep1x2QHc4xB4sJ74.lP9y5w6f6lkDc.2sPZbXa1LWWgBHi3S",
		"Django scrypt":        "scrypt$1024$R4zuNn8w8QZlw9rCflcnGu$8$5$vmYgSIPNxticAVLHW9jhU58GUAB6Bb+OBqoHKi9qEY0vNYmsLCWCI8L6aMFLx9Kr/dHZHt6BwD7cHrZCDWfNnA==",
		"passlib scrypt":       "$scrypt$ln=10,r=8,p=1$O6c0xjgHIOR8D2Fszdkbow$mzVn/bJMfmrsdKujMHuzV3cBiRedB+PiWZb7KZc4yCI",
		"argon2-cffi argon2i":  "$argon2i$v=19$m=1024,t=3,p=1$DdCbUdTtoxQe6rEoEev9Zw$u+7lQ+buYrt5WDxwMEsWAJyT4QgTiKoFvImEcpoHG64",
		"bcrypt 2a":            "$2a$04$fOCNHI9h2thJGC7rWrRoluoVuL5xl2gzwXH38CopdkpAYvU2I05hG",
		"bcrypt 2b":            "$2b$04$p8BRL//A2HXSVzbsUv2sFux93kYwiEkAxztYW5mVSLlvG1r6x5b1K",
		"bcrypt 2y":            "$2y$04$p8BRL//A2HXSVzbsUv2sFux93kYwiEkAxztYW5mVSLlvG1r6x5b1K",
	}
}

// djangoDefaults have the costs that Django 5.2 gives them: they have to stay within
// the bounds.
func djangoDefaults() []string {
	return []string{
		"pbkdf2_sha256$1000000$N89eULqEwCa2wPIZaaG8lR$V7P9mg3x+WE/Y5Gp1pohH1lumfHqOlqVla+1+68om7A=",
		"pbkdf2_sha1$1000000$sp6kg72rgeF5TbfRxkpNjK$lPtdRrrBAv0mhFRKTIQ3zGZ+x04=",
		"argon2$argon2id$v=19$m=102400,t=2,p=8$RnlEY0dWdWQzZE52YWRhRjh3d1BLMQ$suijQD3gwwakEfX36/5UUaE77B7rpvPppMjYl5VSwdM",
		"bcrypt_sha256$$2b$12$JjvrWU5ULdy2tOFN5QH8juGmqePYwlR1iCp8i6kyCQVavw.QrEJe2",
		"scrypt$16384$sYoKfDEHz8UCzCP1kArHVS$8$5$M6yNzM/6Y4YfUijp5cEr8RS7+/ghsaQwgF5GHTUr+N1yOebNMN5QT+zWEYgs5Bipp6CWXbSKkJMOcx7VcCkq+Q==",
	}
}

func keycloak(algorithm string, iterations int, salt, value, more string) KeycloakCredential {
	return KeycloakCredential{
		Type:           "password",
		SecretData:     fmt.Sprintf(`{"value":%q,"salt":%q,"additionalParameters":{}}`, value, salt),
		CredentialData: fmt.Sprintf(`{"hashIterations":%d,"algorithm":%q,"additionalParameters":{%s}}`, iterations, algorithm, more),
	}
}

const keycloakArgon2 = `"hashLength":["32"],"memory":["7168"],"type":["id"],"version":["1.3"],"parallelism":["1"]`

// keycloakSamples have Keycloak's parameters; the keys were derived with OpenSSL
// and the reference implementation of Argon2.
func keycloakSamples() map[string]KeycloakCredential {
	return map[string]KeycloakCredential{
		"pbkdf2-sha256": keycloak("pbkdf2-sha256", 27500, "bHqVjLzdGsKmx8zcRlIIAw==", "27512YV1dx72wsDVqelyrI7pO9aoDO/AvT6KIGukVyxPmwVPvBOvC9BkWi2ZD+40J7Vq4zUANAKcoVnRYDVJTg==", ""),
		"pbkdf2-sha512": keycloak("pbkdf2-sha512", 3000, "wVn4nIaylA/S8YFJI8adyg==", "aXiov0VltD+2ktaf6CNHNpmHGKQOP2I0Q6BCfWB1Z5IHxtSc0PQehZ/0JmHnzZad5szW6GjEP9Rctx0kTFihdw==", ""),
		"pbkdf2":        keycloak("pbkdf2", 2000, "eJR6HKAWWT5EswIhR9vRzw==", "NVCXi2aXoLro+xuNNkrHTmerYra4qXnO/xAZCi8wHvNat07uLxnfons+5P2gWIVwcUdq2KjoaxXtVidSOAaeNg==", ""),
		"argon2":        keycloak("argon2", 5, "v/lpCTkYoJGHS0iNZhxFPQ==", "Cx1m12jyJaSDpdn07VBzwonNpfskpnAX5RLXXhVqB8I=", keycloakArgon2),
	}
}

func TestImportedHash(t *testing.T) {
	h := NewHasher(2, 0)
	kept := map[string]string{}
	for name, sample := range foreignSamples() {
		stored, err := ImportedHash(sample)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		kept[name] = stored
	}
	for name, sample := range keycloakSamples() {
		stored, err := sample.Hash()
		if err != nil {
			t.Errorf("Keycloak %s: %v", name, err)
			continue
		}
		kept["Keycloak "+name] = stored
	}
	for name, stored := range kept {
		if again, err := ImportedHash(stored); err != nil || again != stored {
			t.Errorf("%s: imported again: %q, %v", name, again, err)
		}
		if ok, rehash, err := h.Verify(t.Context(), stored, foreignPassword); !ok || !rehash || err != nil {
			t.Errorf("%s: right password: %v, %v, %v", name, ok, rehash, err)
		}
		for _, wrong := range []secret.Text{"", "correct horse", "corréct hors", "unusable"} {
			if ok, rehash, err := h.Verify(t.Context(), stored, wrong); ok || rehash || err != nil {
				t.Errorf("%s: %q: %v, %v, %v", name, wrong.Reveal(), ok, rehash, err)
			}
		}
	}
	for _, sample := range djangoDefaults() {
		if _, err := ImportedHash(sample); err != nil {
			t.Errorf("%.20s: %v", sample, err)
		}
	}
}

// Attack 205: what an old algorithm cuts off or cannot tell apart opens nothing. A
// longer password, one with a NUL behind it, one that repeats itself round a NUL.
func TestAttack_205_ForeignHashesCutNothingOff(t *testing.T) {
	h := NewHasher(2, 0)
	for name, sample := range foreignSamples() {
		stored, err := ImportedHash(sample)
		if err != nil {
			t.Fatal(name, err)
		}
		for _, wrong := range []secret.Text{
			foreignPassword + "\x00", foreignPassword + "\x00\x00\x00", foreignPassword + "\x00" + foreignPassword,
			foreignPassword + "x", foreignPassword + secret.Text(strings.Repeat("x", MaxPassword)),
			secret.Text(strings.Repeat("x", 1<<20)),
		} {
			if ok, _, err := h.Verify(t.Context(), stored, wrong); ok || err != nil {
				t.Errorf("%s: %d bytes: %v, %v", name, len(wrong), ok, err)
			}
		}
	}
	// bcrypt reads 72 bytes: the one with 72 that was hashed is right, and no other
	// that begins with it. Made with Python's bcrypt 5.
	const hash72 = "$2b$04$bmjzXjFJmy/vyeNZT2EEp.EaB6xevG9H45Cje3wWHUIHonRCB7nWG"
	password := secret.Text(strings.Repeat("0123456789ab", 6))
	if ok, _, err := h.Verify(t.Context(), hash72, password); !ok || err != nil {
		t.Errorf("72 bytes: %v, %v", ok, err)
	}
	if ok, _, err := h.Verify(t.Context(), hash72, password+"x"); ok || err != nil {
		t.Errorf("73 bytes: %v, %v", ok, err)
	}
}

// What would take the machine's memory or minutes of it is refused when it is
// imported, and were it in the database, it would be no hash.
func TestImportedHash_Refuses(t *testing.T) {
	var runs atomic.Int64
	h := counted(NewHasher(1, 0), &runs)
	samples := foreignSamples()
	scrypt, pbkdf2, bcrypt := samples["passlib scrypt"], samples["Django pbkdf2_sha256"], samples["bcrypt 2b"]
	for _, s := range []string{
		"", "$", "plain", "testpass123", "md5$salt$0123456789abcdef0123456789abcdef", "!unusable", "pbkdf2_sha256$", "$pbkdf2-sha256$", "bcrypt$", "bcrypt_sha256$",
		"argon2$", "scrypt$", "$argon2id$", "$argon2d$v=19$m=1024,t=2,p=2$QjJPejh4VTZOd0NxczMzdDJyUGhBMA$umyfG/0rBMxmPplOp2R8LgHItnjhgMNLhZ9YiWb9VDE",
		strings.Replace(pbkdf2, "$1000$", "$1000000000$", 1), strings.Replace(pbkdf2, "$1000$", "$18446744073709551615$", 1),
		strings.Replace(pbkdf2, "$1000$", "$0$", 1), strings.Replace(pbkdf2, "$1000$", "$-1$", 1), strings.Replace(pbkdf2, "$1000$", "$01000$", 1),
		strings.Replace(pbkdf2, "pbkdf2_sha256", "pbkdf2_md5", 1), strings.TrimSuffix(pbkdf2, "="), pbkdf2 + "$", pbkdf2 + "\n",
		"pbkdf2_sha256$1000$$vVm1CgnmomxCHaMl+4XYIiimwzHQW0eW5vzhStUMc0U=", "pbkdf2_sha256$1000$salt$vVk=",
		"pbkdf2_sha256$1000$" + strings.Repeat("s", 200) + "$vVm1CgnmomxCHaMl+4XYIiimwzHQW0eW5vzhStUMc0U=",
		"pbkdf2_sha256$1000$" + strings.Repeat("s", 1000) + "$vVm1CgnmomxCHaMl+4XYIiimwzHQW0eW5vzhStUMc0U=",
		"$pbkdf2-sha256$i=1000000000$c2FsdHNhbHQ$vVm1CgnmomxCHaMl+4XYIiimwzHQW0eW5vzhStUMc0U",
		strings.Replace(scrypt, "ln=10", "ln=25", 1), strings.Replace(scrypt, "ln=10", "ln=63", 1), strings.Replace(scrypt, "ln=10", "ln=0", 1),
		strings.Replace(scrypt, "ln=10", "ln=64", 1), strings.Replace(scrypt, "r=8", "r=0", 1), strings.Replace(scrypt, "r=8", "r=4294967295", 1),
		strings.Replace(scrypt, "p=1", "p=100000", 1), strings.Replace(scrypt, "r=8", "r=9223372036854775807", 1), strings.Replace(scrypt, "p=1", "p=18446744073709551615", 1),
		strings.Replace(samples["Django scrypt"], "$1024$", "$33554432$", 1), strings.Replace(samples["Django scrypt"], "$1024$", "$1000$", 1),
		strings.Replace(bcrypt, "$04$", "$31$", 1), strings.Replace(bcrypt, "$04$", "$15$", 1), strings.Replace(bcrypt, "$04$", "$03$", 1),
		strings.Replace(bcrypt, "$04$", "$4$", 1), strings.Replace(bcrypt, "$2b", "$2x", 1), strings.Replace(bcrypt, "$2b", "$2", 1), bcrypt + "x", bcrypt[:59], bcrypt[:59] + "!",
		strings.Replace(samples["argon2-cffi argon2i"], "m=1024", "m=4294967295", 1), strings.Replace(samples["Django argon2"], "m=1024", "m=1000000", 1),
		strings.Replace(samples["Django argon2"], "t=2", "t=1000", 1),
	} {
		stored, err := ImportedHash(s)
		if !errors.Is(err, ErrInvalid) || stored != "" {
			t.Errorf("%.60q was imported as %q: %v", s, stored, err)
			continue
		}
		if len(s) > 30 && strings.Contains(err.Error(), s[len(s)-20:]) {
			t.Errorf("the reason tells the hash: %v", err)
		}
		runs.Store(0)
		if ok, _, err := h.Verify(t.Context(), s, "x"); s != "" && (ok || err == nil || runs.Load() != 1) {
			t.Errorf("%.60q was checked: %v, %v, %d runs", s, ok, err, runs.Load())
		}
	}
}

func TestKeycloakCredential_Refuses(t *testing.T) {
	good := keycloakSamples()["pbkdf2-sha256"]
	argon := keycloakSamples()["argon2"]
	for name, c := range map[string]KeycloakCredential{
		"nothing":           {},
		"a one-time code":   {Type: "otp", SecretData: good.SecretData, CredentialData: good.CredentialData},
		"no JSON":           {Type: "password", SecretData: "x", CredentialData: good.CredentialData},
		"a list":            {Type: "password", SecretData: good.SecretData, CredentialData: "[]"},
		"much":              {Type: "password", SecretData: good.SecretData, CredentialData: strings.Repeat(" ", 1<<20) + good.CredentialData},
		"10^9 rounds":       {Type: "password", SecretData: good.SecretData, CredentialData: strings.Replace(good.CredentialData, "27500", "1000000000", 1)},
		"negative rounds":   {Type: "password", SecretData: good.SecretData, CredentialData: strings.Replace(good.CredentialData, "27500", "-1", 1)},
		"another algorithm": {Type: "password", SecretData: good.SecretData, CredentialData: strings.Replace(good.CredentialData, "pbkdf2-sha256", "bcrypt", 1)},
		"an odd digest":     {Type: "password", SecretData: good.SecretData, CredentialData: strings.Replace(good.CredentialData, "sha256", "md5", 1)},
		"4 GB":              {Type: "password", SecretData: argon.SecretData, CredentialData: strings.Replace(argon.CredentialData, "7168", "4194304", 1)},
		"argon2d":           {Type: "password", SecretData: argon.SecretData, CredentialData: strings.Replace(argon.CredentialData, `["id"]`, `["d"]`, 1)},
		"argon2 1.0":        {Type: "password", SecretData: argon.SecretData, CredentialData: strings.Replace(argon.CredentialData, "1.3", "1.0", 1)},
		"forged memory":     {Type: "password", SecretData: argon.SecretData, CredentialData: strings.Replace(argon.CredentialData, `["7168"]`, `["1,t=1,p=1$x"]`, 1)},
		"no parameters":     {Type: "password", SecretData: argon.SecretData, CredentialData: `{"hashIterations":5,"algorithm":"argon2"}`},
	} {
		if stored, err := c.Hash(); !errors.Is(err, ErrInvalid) || stored != "" {
			t.Errorf("%s: %q, %v", name, stored, err)
		}
	}
}

// A foreign hash waits for its turn like ours.
func TestVerify_ForeignIsBounded(t *testing.T) {
	h := NewHasher(1, 1)
	h.slots <- struct{}{}
	h.waiting.Store(1)
	stored, err := ImportedHash(foreignSamples()["bcrypt 2b"])
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := h.Verify(t.Context(), stored, foreignPassword); !errors.Is(err, ErrBusy) {
		t.Errorf("%v, want busy", err)
	}
}

// countedForeign counts how often it is asked.
type countedForeign struct {
	foreignHash
	asked *int
	last  *string
}

func (c countedForeign) matches(password string) bool {
	*c.asked++
	*c.last = password
	return c.foreignHash.matches(password)
}

// Attack 201: whatever is typed, a foreign hash is checked once, and ours not at all.
func TestAttack_201_ForeignHashesCostAlike(t *testing.T) {
	var runs atomic.Int64
	h := counted(NewHasher(1, 0), &runs)
	stored, err := ImportedHash(foreignSamples()["bcrypt 2b"])
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := parseForeign(stored)
	if err != nil {
		t.Fatal(err)
	}
	for password, want := range map[secret.Text]bool{
		foreignPassword: true, "wrong": false, "": false, foreignPassword + "\x00": false,
		secret.Text(strings.Repeat("x", 73)): false, secret.Text(strings.Repeat("x", 1<<20)): false,
	} {
		asked, last := 0, ""
		ok, err := h.verifyForeign(t.Context(), countedForeign{parsed, &asked, &last}, password)
		if ok != want || err != nil || asked != 1 || len(last) > 72 {
			t.Errorf("%d bytes: %v, %v, asked %d times about %d bytes", len(password), ok, err, asked, len(last))
		}
		if _, _, err := h.Verify(t.Context(), stored, password); err != nil || runs.Load() != 0 {
			t.Errorf("%d bytes: %v, %d runs of argon2id", len(password), err, runs.Load())
		}
	}
}

// Whatever is imported is read back, as one text, and bounded.
func FuzzImportedHash(f *testing.F) {
	for _, s := range foreignSamples() {
		f.Add(s)
	}
	for _, s := range djangoDefaults() {
		f.Add(s)
	}
	f.Add("$scrypt$ln=63,r=9223372036854775807,p=1$c2FsdHNhbHQ$AAAAAAAAAAAAAAAAAAAAAA")
	f.Add("pbkdf2_sha1$18446744073709551615$s$AAAAAAAAAAAAAAAAAAAAAA==")
	f.Fuzz(func(t *testing.T, s string) {
		stored, err := ImportedHash(s)
		if err != nil {
			if !errors.Is(err, ErrInvalid) {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		if again, err := ImportedHash(stored); err != nil || again != stored {
			t.Fatalf("%q is kept as %q, which reads as %q: %v", s, stored, again, err)
		}
		if _, err := parsePHC(stored); err == nil {
			return
		}
		h, err := parseForeign(stored)
		if err != nil || h.String() != stored {
			t.Fatalf("%q is kept as %q: %v", s, stored, err)
		}
		switch h := h.(type) {
		case *pbkdf2Hash:
			if h.rounds == 0 || h.rounds > maxPBKDF2Rounds || h.hash() == nil {
				t.Fatalf("out of bounds: %q", stored)
			}
		case *scryptHash:
			if h.n*h.r > maxScryptMemory/128 || h.n*h.r*h.p > maxScryptWork/128 || h.n < 2 {
				t.Fatalf("out of bounds: %q", stored)
			}
		}
	})
}

func FuzzKeycloakCredential(f *testing.F) {
	for _, c := range keycloakSamples() {
		f.Add(c.SecretData, c.CredentialData)
	}
	f.Add(`{"value":"","salt":""}`, `{"algorithm":"argon2","additionalParameters":{"type":["id"]}}`)
	f.Fuzz(func(t *testing.T, secretData, credentialData string) {
		stored, err := KeycloakCredential{Type: "password", SecretData: secretData, CredentialData: credentialData}.Hash()
		if err != nil {
			return
		}
		if again, err := ImportedHash(stored); err != nil || again != stored {
			t.Fatalf("kept as %q, which reads as %q: %v", stored, again, err)
		}
	})
}
