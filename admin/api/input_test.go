package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// FuzzJSON: a body that is taken has one meaning, which the decoder and the check
// agree on.
func FuzzJSON(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"a":1}`, `{"a":1,"A":2}`, `{"a":{"b":[1,2,{"c":null}]}}`, `{"a":1}x`, `[`, `"\ud800"`, "\xff", ``, `{"a":1,"a":2}`,
		`{"ſ":1,"s":2}`, `[[[[[[]]]]]]`, `1e999`, `{"":{}}`, ` {"a" : true } `, `nul`, `{"\u0061":1,"a":2}`,
	} {
		f.Add([]byte(seed))
	}
	read := strictJSON().Unmarshal
	f.Fuzz(func(t *testing.T, body []byte) {
		var v any
		if read(body, &v) != nil {
			return
		}
		if !json.Valid(body) {
			t.Errorf("took %q", body)
		}
		again, err := json.Marshal(v)
		if err != nil || read(again, new(any)) != nil {
			t.Errorf("%q became %q: %v", body, again, err)
		}
	})
}

func TestJSONOneMeaning(t *testing.T) {
	for body, good := range map[string]bool{
		`{"a":1}`: true, `{"a":{"a":1}}`: true, `[{"a":1},{"a":2}]`: true, `{"a":1,"a":2}`: false, `{"a":1,"A":2}`: false, `{"s":1,"ſ":2}`: false,
		`{"\u0061":1,"a":2}`: false, `{"a":1} {}`: false, "{\"a\":\"\xff\"}": false, ``: false, `{"a":1}` + "\n": true,
		`{"K":1,"\u212a":2}`: false, `{"ß":1,"ẞ":2}`: false, `{"ss":1,"ß":2}`: true, `{"ς":1,"Σ":2}`: false, `{"ı":1,"i":2}`: true,
		`{"a":"b\u0000"}`: false, `{"a\u0000":1}`: false, `["\u0000"]`: false, `{"a":"\\u0000"}`: true,
		object(maxMembers): true, object(maxMembers + 1): false, `[` + object(maxMembers) + `,` + object(maxMembers) + `]`: true,
		`{"` + strings.Repeat("n", maxName) + `":1}`: true, `{"` + strings.Repeat("n", maxName+1) + `":1}`: false,
	} {
		if err := strictJSON().Unmarshal([]byte(body), new(any)); (err == nil) != good {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// object has n members of different names.
func object(n int) string {
	members := make([]string, n)
	for i := range members {
		members[i] = fmt.Sprintf(`"m%d":%d`, i, i)
	}
	return "{" + strings.Join(members, ",") + "}"
}

// TestFoldedAsDecoded: names are held for one another exactly where encoding/json does.
func TestFoldedAsDecoded(t *testing.T) {
	for r := range unicode.MaxRune + 1 {
		name := string(r)
		if !utf8.ValidString(name) || folded(name) == name && unicode.SimpleFold(r) == r {
			continue
		}
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			if folded(string(other)) != folded(name) {
				t.Errorf("%q and %q are the same to encoding/json", name, string(other))
			}
		}
		if !strings.EqualFold(folded(name), name) {
			t.Errorf("%q became %q", name, folded(name))
		}
	}
}

// TestAttack_ManyMembers: however many members an object has, reading it stops at those
// that any could have, and each name is compared with none of the others one by one.
func TestAttack_ManyMembers(t *testing.T) {
	body := []byte(object(100_000))
	d := json.NewDecoder(bytes.NewReader(body))
	if err := value(d, 0); err == nil {
		t.Fatal("an object with 100,000 members was read")
	}
	if read := d.InputOffset(); read > int64(len(object(maxMembers+1))) {
		t.Errorf("gave up after %d of %d bytes", read, len(body))
	}
}

// BenchmarkStrictJSON reads as much as the largest body, in objects as full as they may
// be.
func BenchmarkStrictJSON(b *testing.B) {
	one := object(maxMembers)
	body := []byte("[" + strings.Repeat(one+",", 1<<20/len(one)-1) + one + "]")
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		if err := oneMeaning(body); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzSegment: each name has one segment, and each segment at most one name.
func FuzzSegment(f *testing.F) {
	for _, seed := range []string{"", "a", "~", "~YQ", "a/b", "..", ".", "ä", "\x00", "%2F", "https://app.example.com/client", "~cGxhaW4"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, err := fromSegment(segment(s))
		if good := storable(s); good && (err != nil || name != s) || !good && err == nil {
			t.Errorf("%q became %q: %v", s, name, err)
		}
		if name, err := fromSegment(s); err == nil && segment(name) != s {
			t.Errorf("%q is %q, whose segment is %q", s, name, segment(name))
		}
	})
}

// TestRegisterDemandsPermission: a route that does not say who may use it cannot be
// made.
func TestRegisterDemandsPermission(t *testing.T) {
	for _, permission := range []string{"", "posts:add", "revocations:read", "admin:everything"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("a route with the permission %q was made", permission)
				}
			}()
			new(surface).operation(Route{ID: "x", Method: "GET", Path: "/x", Permission: permission})
		}()
	}
	defer func() {
		if recover() == nil {
			t.Error("a parameter would be passed over")
		}
	}()
	type hidden struct{}
	register[struct{ hidden }, nothing](new(surface), Route{}, nil)
}
