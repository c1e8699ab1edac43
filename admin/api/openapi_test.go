package api_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

// client reads the OpenAPI document and knows no Go type of the API: what it is told to
// send and what it gets must be as the document says. (A client of a real generator is
// internal/endtoend's.)
type client struct {
	*world
	doc   map[string]any
	token string
	used  map[string]bool // operationIds
}

// do calls an operation by its id, with parameters by their names.
func (c *client) do(id string, parameters map[string]string, body any) answer {
	c.Helper()
	for path, item := range c.doc["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			if at(op, "operationId") == id {
				c.used[id] = true
				return c.send(strings.ToUpper(method), path, op, parameters, body)
			}
		}
	}
	c.Fatalf("no operation %s", id)
	return answer{}
}

func (c *client) send(method, path string, op any, parameters map[string]string, body any) answer {
	c.Helper()
	query, header, left := url.Values{}, []string{}, len(parameters)
	declared, _ := at(op, "parameters").([]any)
	for _, p := range declared {
		name := at(p, "name").(string)
		value, given := parameters[name]
		if !given {
			if at(p, "required") == true {
				c.Fatalf("%s needs %s", at(op, "operationId"), name)
			}
			continue
		}
		left--
		switch at(p, "in") {
		case "path":
			path = strings.Replace(path, "{"+name+"}", value, 1)
		case "query":
			query.Set(name, value)
		case "header":
			header = append(header, name, value)
		}
	}
	if left > 0 {
		c.Fatalf("%s does not take all of %v", at(op, "operationId"), parameters)
	}
	if schema := at(op, "requestBody", "content", "application/json", "schema"); body != nil {
		if err := c.check(schema, roundTrip(body), "body"); err != nil {
			c.Fatal(err)
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	a := c.call(c.token, method, at(c.doc, "servers", 0, "url").(string)+path, body, header...)
	if err := c.answered(op, a); err != nil {
		c.Errorf("%s answers %d %s: %v", at(op, "operationId"), a.status, a.raw, err)
	}
	return a
}

func roundTrip(v any) any {
	b, _ := json.Marshal(v)
	var out any
	_ = json.Unmarshal(b, &out)
	return out
}

// answered checks an answer against the one that the document declares.
func (c *client) answered(op any, a answer) error {
	declared := at(op, "responses", fmt.Sprint(a.status))
	if declared == nil {
		declared = at(op, "responses", "default")
	}
	content, _ := at(declared, "content").(map[string]any)
	mediaType := a.header.Get("Content-Type")
	if len(content) == 0 {
		if a.raw != "" {
			return fmt.Errorf("a body where none is declared")
		}
		return nil
	}
	media, is := content[mediaType]
	if !is {
		return fmt.Errorf("undeclared type %q", mediaType)
	}
	return c.check(at(media, "schema"), roundTrip(a.json), "answer")
}

// check holds a value against a schema: the part of JSON Schema that the document uses.
func (c *client) check(schema, value any, where string) error {
	if ref, is := at(schema, "$ref").(string); is {
		way := []any{}
		for _, step := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
			way = append(way, step)
		}
		if schema = at(c.doc, way...); schema == nil {
			return fmt.Errorf("%s: no %s", where, ref)
		}
	}
	s, is := schema.(map[string]any)
	if !is {
		return fmt.Errorf("%s: no schema", where)
	}
	if len(s) == 0 {
		return nil // anything
	}
	if !ofType(s["type"], value) {
		return fmt.Errorf("%s: %v is no %v", where, value, s["type"])
	}
	if enum, is := s["enum"].([]any); is && !slices.Contains(enum, value) {
		return fmt.Errorf("%s: %v is none of %v", where, value, enum)
	}
	if text, is := value.(string); is && s["format"] == "date-time" {
		if _, err := time.Parse(time.RFC3339Nano, text); err != nil {
			return fmt.Errorf("%s: %w", where, err)
		}
	}
	if list, is := value.([]any); is {
		for i, v := range list {
			if err := c.check(s["items"], v, fmt.Sprintf("%s[%d]", where, i)); err != nil {
				return err
			}
		}
	}
	return c.members(s, value, where)
}

func (c *client) members(s map[string]any, value any, where string) error {
	object, is := value.(map[string]any)
	if !is {
		return nil
	}
	properties, _ := s["properties"].(map[string]any)
	required, _ := s["required"].([]any)
	for _, name := range required {
		if _, there := object[name.(string)]; !there {
			return fmt.Errorf("%s: %v is missing", where, name)
		}
	}
	for name, v := range object {
		schema, declared := properties[name]
		if !declared {
			if schema, declared = s["additionalProperties"].(map[string]any); !declared {
				return fmt.Errorf("%s: %s is not declared", where, name)
			}
		}
		if err := c.check(schema, v, where+"."+name); err != nil {
			return err
		}
	}
	return nil
}

// ofType reports whether a value is of a type, or of one of several.
func ofType(types, value any) bool {
	if types == nil {
		return true
	}
	list, several := types.([]any)
	if !several {
		list = []any{types}
	}
	return slices.ContainsFunc(list, func(t any) bool {
		switch v := value.(type) {
		case nil:
			return t == "null"
		case string:
			return t == "string"
		case bool:
			return t == "boolean"
		case float64:
			return t == "number" || t == "integer" && v == float64(int64(v))
		case []any:
			return t == "array"
		}
		return t == "object"
	})
}

// TestOpenAPI: a client that was derived from the description does a day's work, and
// everything that it sends and gets is as described. Each operation without a place in
// that day is at least asked for something that is not there.
func TestOpenAPI(t *testing.T) {
	w := newWorld(t)
	c := &client{world: w, doc: w.description(), token: w.rootKey, used: map[string]bool{}}
	if c.doc["openapi"] != "3.1.0" {
		t.Errorf("OpenAPI %v", c.doc["openapi"])
	}
	made := w.want(c.do("createUser", nil, map[string]any{
		"username": "ada", "email": "ada@example.com", "email_verified": true, "password": goodPassword,
		"profile": map[string]any{"given_name": "Ada", "address": map[string]any{"country": "UK"}},
	}), http.StatusCreated, "")
	me := map[string]string{"user": made.str("sub")}
	read := w.want(c.do("getUser", me, nil), http.StatusOK, "")
	patched := w.want(c.do("updateUser", map[string]string{"user": made.str("sub"), "If-Match": read.header.Get("ETag")},
		map[string]any{"name": "Ada", "email": nil, "profile": map[string]any{"given_name": nil}}), http.StatusOK, "")
	if patched.str("name") != "Ada" || patched.str("email") != "" {
		t.Errorf("patched: %s", patched.raw)
	}
	for _, id := range []string{"banUser", "unbanUser", "grantStaff", "revokeStaff", "grantSuperuser", "revokeSuperuser", "resetFactors", "signOutUser"} {
		w.want(c.do(id, me, nil), http.StatusNoContent, "")
	}
	w.want(c.do("requireActions", me, map[string]any{"actions": []string{"change_password"}}), http.StatusNoContent, "")
	w.want(c.do("setPassword", me, map[string]any{"password": "seven amber ladders whisper 4"}), http.StatusNoContent, "")
	w.want(c.do("makeSignInLink", me, nil), http.StatusCreated, "")
	w.want(c.do("planDeletion", me, nil), http.StatusOK, "")
	w.want(c.do("cancelDeletion", me, nil), http.StatusNoContent, "")
	w.want(c.do("getUserPermissions", map[string]string{"user": w.root.Subject}, nil), http.StatusOK, "")
	w.want(c.do("listFactors", me, nil), http.StatusOK, "")
	w.want(c.do("invite", nil, map[string]any{"email": "new@example.com", "show_link": true}), http.StatusCreated, "")
	w.want(c.do("listUsers", map[string]string{"limit": "1"}, nil), http.StatusOK, "")
	w.want(c.do("deleteUser", me, nil), http.StatusNoContent, "")

	parameter := regexp.MustCompile(`\{(\w+)\}`)
	for path, item := range c.doc["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			id, _ := at(op, "operationId").(string)
			if c.used[id] {
				continue
			}
			parameters := map[string]string{}
			for _, m := range parameter.FindAllStringSubmatch(path, -1) {
				parameters[m[1]] = "nothing"
			}
			if method == "patch" {
				parameters["If-Match"] = "*"
			}
			a := c.send(strings.ToUpper(method), path, op, parameters, nil)
			if a.status >= 500 || method == "get" && len(parameters) == 0 && a.status != http.StatusOK && a.problem() != "invalid" {
				t.Errorf("%s: %d %s", id, a.status, a.raw)
			}
		}
	}
}

// TestDescription: every operation says what it needs to be understood, ids are there
// once, and the page shows all of them without a script.
func TestDescription(t *testing.T) {
	w := newWorld(t)
	doc := w.description()
	yaml := w.want(w.call("", http.MethodGet, "/openapi.yaml", nil), http.StatusOK, "")
	page := w.want(w.call("", http.MethodGet, "/docs", nil), http.StatusOK, "")
	ids := map[string]bool{}
	for path, item := range doc["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			id, _ := at(op, "operationId").(string)
			if ids[id] || id == "" || at(op, "summary") == "" || at(op, "tags", 0) == nil {
				t.Errorf("%s %s is %q: %v", method, path, id, at(op, "summary"))
			}
			ids[id] = true
			if !strings.Contains(yaml.raw, "operationId: "+id) || !strings.Contains(page.raw, `<article id="`+id+`">`) {
				t.Errorf("%s is missing in YAML or on the page", id)
			}
			if bodies, _ := at(op, "requestBody", "content").(map[string]any); method == "patch" &&
				(bodies["application/merge-patch+json"] == nil || bodies["application/json"] == nil) {
				t.Errorf("%s takes %v", id, bodies)
			}
			if at(op, "responses", "default", "content", "application/problem+json", "schema", "$ref") != "#/components/schemas/Problem" {
				t.Errorf("%s declares no problem: %v", id, at(op, "responses"))
			}
		}
	}
	if csp := page.header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'") {
		t.Errorf("policy %q", csp)
	}
	w.wellFormed(page.raw)
	again := w.want(w.call("", http.MethodGet, "/openapi.json", nil, "If-None-Match", w.call("", http.MethodGet, "/openapi.json", nil).header.Get("ETag")), http.StatusNotModified, "")
	if again.raw != "" {
		t.Errorf("304 with %q", again.raw)
	}
}

// wellFormed checks a page: every element is closed in order, ids are there once,
// links within lead somewhere, and nothing comes from elsewhere.
func (w *world) wellFormed(page string) {
	w.Helper()
	ids, links, open := map[string]bool{}, []string{}, []string{}
	for z := html.NewTokenizer(strings.NewReader(page)); ; {
		kind := z.Next()
		if kind == html.ErrorToken {
			if z.Err() != io.EOF {
				w.Error(z.Err())
			}
			break
		}
		token := z.Token()
		switch kind {
		case html.StartTagToken:
			if !slices.Contains([]string{"meta", "link"}, token.Data) {
				open = append(open, token.Data)
			}
			if token.Data == "script" {
				w.Error("a script")
			}
		case html.EndTagToken:
			if len(open) == 0 || open[len(open)-1] != token.Data {
				w.Fatalf("</%s> closes %v", token.Data, open)
			}
			open = open[:len(open)-1]
		}
		for _, a := range token.Attr {
			switch {
			case a.Key == "id" && ids[a.Val]:
				w.Errorf("id %s twice", a.Val)
			case a.Key == "id":
				ids[a.Val] = true
			case a.Key == "href" && strings.HasPrefix(a.Val, "#"):
				links = append(links, a.Val[1:])
			case (a.Key == "href" || a.Key == "src") && !strings.HasPrefix(a.Val, "/admin/api/v1/"):
				w.Errorf("%s leads to %s", a.Key, a.Val)
			}
		}
	}
	for _, l := range links {
		if !ids[l] {
			w.Errorf("#%s leads nowhere", l)
		}
	}
	if len(open) > 0 || len(links) < 50 {
		w.Errorf("left open %v, %d links", open, len(links))
	}
}
