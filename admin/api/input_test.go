package api

import (
	"encoding/json"
	"testing"
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
	} {
		if err := strictJSON().Unmarshal([]byte(body), new(any)); (err == nil) != good {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// FuzzSegment: each name has one segment, and each segment at most one name.
func FuzzSegment(f *testing.F) {
	for _, seed := range []string{"", "a", "~", "~YQ", "a/b", "..", ".", "ä", "\x00", "%2F", "https://app.example.com/client", "~cGxhaW4"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if name, err := fromSegment(segment(s)); err != nil || name != s {
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
