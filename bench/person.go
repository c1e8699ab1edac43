package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// tokens is an answer of the token endpoint.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
}

// person is somebody with a browser of their own, at one node.
type person struct {
	d      *deployment
	client *http.Client
	name   string // to sign in with
}

// person comes with no cookies; it is the one whom each deployment knows.
func (d *deployment) person(n *node) (*person, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, fmt.Errorf("cookies: %w", err)
	}
	c := n.httpClient()
	c.Jar = jar
	c.CheckRedirect = func(next *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(next.URL.String(), callback) {
			return http.ErrUseLastResponse // at the app's door
		}
		return nil
	}
	return &person{d, c, username}, nil
}

// tokens goes through an authorization, signing in if asked, and redeems the code.
func (p *person) tokens(ctx context.Context) (tokens, error) {
	verifier := rand.Text() + rand.Text()
	challenge := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"client_id": {p.d.app.ID}, "redirect_uri": {callback}, "response_type": {"code"}, "scope": {"openid " + scope}, "state": {"s"},
		"nonce": {rand.Text()}, "code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}, "code_challenge_method": {"S256"},
	}
	answer, err := p.get(ctx, p.d.issuer+"/oauth2/authorize?"+query.Encode())
	if err != nil {
		return tokens{}, err
	}
	for range 3 {
		if at, err := answer.Location(); err == nil {
			_ = answer.Body.Close()
			return p.redeem(ctx, at.Query(), verifier)
		}
		if answer, err = p.submit(ctx, answer); err != nil {
			return tokens{}, err
		}
	}
	_ = answer.Body.Close()
	return tokens{}, fmt.Errorf("signing in ends at %s, %s", answer.Request.URL.Path, answer.Status)
}

func (p *person) redeem(ctx context.Context, answer url.Values, verifier string) (tokens, error) {
	if answer.Get("code") == "" {
		return tokens{}, fmt.Errorf("the app was answered %q", answer.Get("error"))
	}
	var t tokens
	err := p.d.post(ctx, p.client, "/oauth2/token", p.d.app, url.Values{
		"grant_type": {"authorization_code"}, "code": {answer.Get("code")}, "redirect_uri": {callback}, "code_verifier": {verifier},
	}, &t)
	return t, err
}

// signOut returns once the answer has been read.
func (p *person) signOut(ctx context.Context, idToken string) error {
	answer, err := p.get(ctx, p.d.issuer+"/logout?id_token_hint="+url.QueryEscape(idToken))
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("sign-out: %s", answer.Status)
	}
	return nil
}

func (p *person) get(ctx context.Context, address string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	return p.client.Do(r)
}

// submit fills in the form of a page with the name and password.
func (p *person) submit(ctx context.Context, page *http.Response) (*http.Response, error) {
	root, err := html.Parse(io.LimitReader(page.Body, 1<<20))
	if err := errors.Join(err, page.Body.Close()); err != nil {
		return nil, err
	}
	action, fields := signInForm(root)
	if action == "" {
		return nil, fmt.Errorf("%s: %s without a form to sign in", page.Request.URL.Path, page.Status)
	}
	fields.Set("username", p.name)
	fields.Set("password", password)
	fields.Set("action", "continue")
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, p.d.issuer+action, strings.NewReader(fields.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return p.client.Do(r)
}

// signInForm finds the form that asks for a password.
func signInForm(root *html.Node) (action string, fields url.Values) {
	for node := range root.Descendants() {
		if node.Data != "form" {
			continue
		}
		fields := url.Values{}
		for inner := range node.Descendants() {
			if name := attribute(inner, "name"); inner.Data == "input" && name != "" {
				fields.Set(name, attribute(inner, "value"))
			}
		}
		if fields.Has("password") {
			return attribute(node, "action"), fields
		}
	}
	return "", nil
}

func attribute(node *html.Node, name string) string {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// post sends a form as a client and decodes the answer into out, if that is not
// nil.
func (d *deployment) post(ctx context.Context, via *http.Client, path string, as client, form url.Values, out any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, d.issuer+path, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(url.QueryEscape(as.ID), url.QueryEscape(as.Secret))
	answer, err := via.Do(r)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(answer.Body)
	if err := errors.Join(err, answer.Body.Close()); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return &statusError{path, answer.StatusCode, string(body)}
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(body, out)
}

// statusError is an answer that is not 200.
type statusError struct {
	path string
	code int
	body string
}

// Error implements error.
func (e *statusError) Error() string { return fmt.Sprintf("%s: %d: %s", e.path, e.code, e.body) }
