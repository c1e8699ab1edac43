package web

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func formRequest(body string) *http.Request {
	r := httptest.NewRequest("POST", "/?a=query", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "p%d=1&", i)
	}
	return b.String()
}

func TestParseQuery(t *testing.T) {
	for name, tc := range map[string]struct {
		raw  string
		want url.Values
		err  *FormError
	}{
		"empty":             {"", url.Values{}, nil},
		"plain":             {"a=1&b=x+y%2Bz", url.Values{"a": {"1"}, "b": {"x y+z"}}, nil},
		"empty is absent":   {"scope=&state&a=1", url.Values{"a": {"1"}}, nil},
		"stray ampersands":  {"&&a=1&", url.Values{"a": {"1"}}, nil},
		"equals in value":   {"a=b=c", url.Values{"a": {"b=c"}}, nil},
		"case matters":      {"a=1&A=2", url.Values{"a": {"1"}, "A": {"2"}}, nil},
		"repeatable":        {"resource=x&resource=y", url.Values{"resource": {"x", "y"}}, nil},
		"64 parameters":     {numbered(64), nil, nil},
		"65 parameters":     {numbered(65), nil, &FormError{400, "", "too many parameters"}},
		"65 repeated":       {strings.Repeat("resource=x&", 65), nil, &FormError{400, "", "too many parameters"}},
		"twice":             {"client_id=a&client_id=a", nil, &FormError{400, "client_id", "parameter sent more than once"}},
		"twice, one empty":  {"scope=&scope=a", nil, &FormError{400, "scope", "parameter sent more than once"}},
		"twice, escaped":    {"scope=a&s%63ope=b", nil, &FormError{400, "scope", "parameter sent more than once"}},
		"name not shown":    {"%0a<b>=a&%0a<b>=b", nil, &FormError{400, "", "parameter sent more than once"}},
		"semicolon":         {"a=1;b=2", nil, &FormError{400, "", "unescaped semicolon in parameters"}},
		"escaped semicolon": {"a=1%3Bb", url.Values{"a": {"1;b"}}, nil},
		"bad escape":        {"a=%zz", nil, &FormError{400, "a", "malformed parameter value"}},
		"cut escape":        {"a=%4", nil, &FormError{400, "a", "malformed parameter value"}},
		"bad name":          {"%zz=a", nil, &FormError{400, "", "malformed parameter name"}},
		"invalid UTF-8":     {"a=%ff", nil, &FormError{400, "a", "malformed parameter value"}},
		"overlong UTF-8":    {"a=%c0%ae", nil, &FormError{400, "a", "malformed parameter value"}},
		"NUL":               {"a=x%00y", nil, &FormError{400, "a", "malformed parameter value"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseQuery(tc.raw, "resource")
			if tc.err != nil {
				checkFormError(t, err, tc.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tc.want != nil {
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

func checkFormError(t *testing.T, err error, want *FormError) {
	t.Helper()
	var got *FormError
	if !errors.As(err, &got) {
		t.Fatalf("error %v, want %v", err, want)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseForm(t *testing.T) {
	const notForm = "the body must be application/x-www-form-urlencoded"
	for name, tc := range map[string]struct {
		types    []string
		encoding string
		body     string
		want     url.Values
		err      *FormError
	}{
		"form":             {[]string{"application/x-www-form-urlencoded"}, "", "a=body", url.Values{"a": {"body"}}, nil},
		"query is ignored": {[]string{"application/x-www-form-urlencoded"}, "", "b=1", url.Values{"b": {"1"}}, nil},
		"charset":          {[]string{"Application/X-WWW-Form-Urlencoded; Charset=UTF-8"}, "", "b=1", url.Values{"b": {"1"}}, nil},
		"no body":          {nil, "", "", url.Values{}, nil},
		"other charset":    {[]string{"application/x-www-form-urlencoded; charset=utf-7"}, "", "b=1", nil, &FormError{415, "", notForm}},
		"other parameter":  {[]string{"application/x-www-form-urlencoded; x=y"}, "", "b=1", nil, &FormError{415, "", notForm}},
		"no type":          {nil, "", "b=1", nil, &FormError{415, "", notForm}},
		"two types":        {[]string{"application/x-www-form-urlencoded", "application/json"}, "", "b=1", nil, &FormError{415, "", notForm}},
		"json":             {[]string{"application/json"}, "", "{}", nil, &FormError{415, "", notForm}},
		"multipart":        {[]string{"multipart/form-data; boundary=x"}, "", "--x--", nil, &FormError{415, "", notForm}},
		"prefix":           {[]string{"application/x-www-form-urlencodedx"}, "", "b=1", nil, &FormError{415, "", notForm}},
		"gzip":             {[]string{"application/x-www-form-urlencoded"}, "gzip", "b=1", nil, &FormError{415, "", notForm}},
		"twice":            {[]string{"application/x-www-form-urlencoded"}, "", "code=1&code=2", nil, &FormError{400, "code", "parameter sent more than once"}},
		"largest":          {[]string{"application/x-www-form-urlencoded"}, "", "a=" + strings.Repeat("x", MaxBody-2), nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := formRequest(tc.body)
			r.Header["Content-Type"] = tc.types
			if tc.encoding != "" {
				r.Header.Set("Content-Encoding", tc.encoding)
			}
			got, err := ParseForm(httptest.NewRecorder(), r)
			if tc.err != nil {
				checkFormError(t, err, tc.err)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if tc.want != nil {
				if diff := cmp.Diff(tc.want, got); diff != "" {
					t.Error(diff)
				}
			}
		})
	}
}

// TestParseBoxes: a form of many boxes has more parameters, and is bounded all the same.
func TestParseBoxes(t *testing.T) {
	got, err := ParseBoxes(httptest.NewRecorder(), formRequest("box=1"+strings.Repeat("&box=2", MaxBoxes-1)), "box")
	if err != nil || len(got["box"]) != MaxBoxes {
		t.Errorf("%d boxes, %v", len(got["box"]), err)
	}
	_, err = ParseBoxes(httptest.NewRecorder(), formRequest(numbered(MaxBoxes+1)))
	checkFormError(t, err, &FormError{Status: 400, Reason: "too many parameters"})
	_, err = ParseBoxes(httptest.NewRecorder(), formRequest("box=1&box=2"))
	checkFormError(t, err, &FormError{Status: 400, Param: "box", Reason: "parameter sent more than once"})
	_, err = ParseBoxes(httptest.NewRecorder(), formRequest("a="+strings.Repeat("x", MaxBody)))
	checkFormError(t, err, &FormError{Status: 413, Reason: "the body is too large"})
}

func TestAttack_186_LargeForms(t *testing.T) {
	tooLarge := &FormError{Status: 413, Reason: "the body is too large"}
	unsized := formRequest("a=" + strings.Repeat("x", 1<<20))
	unsized.ContentLength = -1
	_, err := ParseForm(httptest.NewRecorder(), unsized)
	checkFormError(t, err, tooLarge)
	_, err = ParseForm(httptest.NewRecorder(), formRequest(strings.Repeat("a=1&", 1<<18)))
	checkFormError(t, err, tooLarge)
	_, err = ParseForm(httptest.NewRecorder(), formRequest(numbered(5000)))
	checkFormError(t, err, &FormError{Status: 400, Reason: "too many parameters"})

	var inner error
	h := LimitBody(10, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, inner = ParseForm(w, r) }))
	w := httptest.NewRecorder()
	h.ServeHTTP(w, formRequest("a=123456789"))
	if w.Code != http.StatusRequestEntityTooLarge || inner != nil {
		t.Errorf("declared: %d %v", w.Code, inner)
	}
	r := formRequest("a=123456789")
	r.ContentLength = -1
	h.ServeHTTP(httptest.NewRecorder(), r)
	checkFormError(t, inner, tooLarge)
}

func FuzzParseQuery(f *testing.F) {
	for _, s := range []string{"", "a=1&b=%20", "a=1;b=2", "a=%zz", "a=%ff&a=", "&&=&=x", "resource=1&resource=2", "a+b=c+d"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, err := ParseQuery(raw, "resource")
		if err != nil {
			var formErr *FormError
			if !errors.As(err, &formErr) || got != nil {
				t.Fatalf("%T %v with %v", err, err, got)
			}
			return
		}
		checkValues(t, got)
		// What is accepted means the same to the standard library.
		std, err := url.ParseQuery(raw)
		if err != nil {
			t.Fatalf("%q accepted, but %v", raw, err)
		}
		for name, values := range std {
			if values = slices.DeleteFunc(values, func(s string) bool { return s == "" }); !slices.Equal(values, got[name]) {
				t.Fatalf("%q: %q is %q here and %q there", raw, name, got[name], values)
			}
		}
	})
}

func checkValues(t *testing.T, got url.Values) {
	t.Helper()
	count := 0
	for name, values := range got {
		count += len(values)
		if len(values) == 0 || len(values) > 1 && name != "resource" || !isText(name) {
			t.Fatalf("%q: %q", name, values)
		}
		for _, v := range values {
			if v == "" || !isText(v) {
				t.Fatalf("%q: %q", name, v)
			}
		}
	}
	if count > MaxParams {
		t.Fatalf("%d parameters", count)
	}
}

func FuzzParseForm(f *testing.F) {
	f.Add("application/x-www-form-urlencoded", "a=1&b=2")
	f.Add("application/x-www-form-urlencoded; charset=utf-8", "a=1&a=2")
	f.Add("multipart/form-data; boundary=a", "--a\r\n")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, contentType, body string) {
		r := formRequest(body)
		r.Header.Set("Content-Type", contentType)
		got, err := ParseForm(httptest.NewRecorder(), r, "resource")
		if err != nil {
			var formErr *FormError
			if !errors.As(err, &formErr) || formErr.Status < 400 || formErr.Status > 415 {
				t.Fatalf("%T %v", err, err)
			}
			return
		}
		checkValues(t, got)
	})
}
