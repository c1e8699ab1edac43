package importing_test

import (
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/importing"
)

// endless is a text without an end.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestStreamRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		text io.Reader
		want string
	}{
		"nothing":         {strings.NewReader(""), "ends too early"},
		"cut off":         {strings.NewReader(`[{"a":1},{"b"`), "ends too early"},
		"an object":       {strings.NewReader(`{}`), "there should be"},
		"no JSON":         {strings.NewReader(`[{"a":secret}]`), "not JSON"},
		"more behind":     {strings.NewReader(`[] []`), "something behind the end"},
		"a name twice":    {strings.NewReader(`[{"a":{"b":1,"c":[{}],"b":2}}]`), "two members of one name"},
		"a name escaped":  {strings.NewReader(`[{"a":1,"\u0061":2}]`), "two members of one name"},
		"depth":           {strings.NewReader("[" + strings.Repeat("[", 41) + strings.Repeat("]", 41) + "]"), "in each other"},
		"much depth":      {strings.NewReader("[" + strings.Repeat("[", 100_000)), "byte"},
		"no UTF-8":        {strings.NewReader("[\"\xff\"]"), "not UTF-8"},
		"an endless text": {io.MultiReader(strings.NewReader(`["`), endless{}), "a value of more than"},
		"endless spaces":  {io.MultiReader(strings.NewReader(`[`), endless{}), "not JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			s := importing.NewStream(c.text)
			err := s.Each(func(json.RawMessage) error { return nil })
			if err == nil {
				err = s.End()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestStreamReads(t *testing.T) {
	s := importing.NewStream(strings.NewReader("\ufeff[ {\"a\":{\"a\":[1,{\"b\":\"a\"},\"b\",\"b\"]}} , 2 ]\n"))
	var got []string
	if err := s.Each(func(raw json.RawMessage) error { got = append(got, string(raw)); return nil }); err != nil || s.End() != nil {
		t.Fatal(err)
	}
	if len(got) != 2 || got[1] != "2" {
		t.Errorf("%q", got)
	}
}

// Members are told apart by capital letters, and read as what they are or not at all.
func TestObject(t *testing.T) {
	o, err := importing.ParseObject(json.RawMessage(`{"enabled":true,"Enabled":false,"n":null,"id":12345678901,"list":["a"],"many":{"x":["y"]},"texts":{"a":"b","c":1}}`))
	if err != nil {
		t.Fatal(err)
	}
	if !o.Flag("enabled", false) || o.Flag("Enabled", true) || !o.Flag("n", true) || o.Has("n") || o.Key("id") != "12345678901" ||
		o.Texts("list")[0] != "a" || o.Lists("many")["x"][0] != "y" || o.Values("texts")["a"] != "b" || o.Values("texts")["c"] != "" || o.Err != nil {
		t.Errorf("read wrongly: %v", o.Err)
	}
	for name, read := range map[string]func(o *importing.Object){
		"text": func(o *importing.Object) { o.Text("v") }, "flag": func(o *importing.Object) { o.Flag("v", false) },
		"texts": func(o *importing.Object) { o.Texts("v") }, "objects": func(o *importing.Object) { o.Objects("v") },
		"key": func(o *importing.Object) { o.Key("v") }, "object": func(o *importing.Object) { o.Object("v") },
	} {
		o, err := importing.ParseObject(json.RawMessage(`{"v":[1.5]}`))
		if err != nil {
			t.Fatal(err)
		}
		if read(o); o.Err == nil {
			t.Errorf("a list of a number was read as %s", name)
		}
	}
}
