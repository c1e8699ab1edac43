// Package pwned asks a service of the kind of Have I Been Pwned for stolen
// passwords, by the first five hexadecimal digits of their SHA-1
// (https://haveibeenpwned.com/API/v3#PwnedPasswords). It is apart from accounts,
// which decides what to do with the answer, because the domain has no HTTP.
//
// Invariant: a request tells nothing but the five digits, neither a cookie nor
// where it came from.
package pwned

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/outbound"
)

// Client asks one service.
type Client struct {
	base string // ends with a slash
	http *http.Client
}

var _ accounts.RangeSource = (*Client)(nil)

// New returns a client for a service whose range addresses are base and the five
// digits, such as https://api.pwnedpasswords.com/range/. The options say whether it
// may be a private address; their timeout and size are ours.
func New(base string, o outbound.Options) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("not an address such as https://api.pwnedpasswords.com/range/")
	}
	o.Timeout, o.MaxResponse = time.Second, 1<<20
	return &Client{base: strings.TrimSuffix(u.String(), "/") + "/", http: outbound.NewClient(o)}, nil
}

// Range implements accounts.RangeSource. Its errors do not hold the address, which
// has the digits in it.
func (c *Client) Range(ctx context.Context, prefix string) (io.ReadCloser, error) {
	if len(prefix) != 5 || strings.Trim(prefix, "0123456789ABCDEF") != "" {
		return nil, errors.New("pwned: not five hexadecimal digits")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+prefix, nil)
	if err != nil {
		return nil, errors.New("pwned: the address cannot be asked")
	}
	// Padding hides from who sees the traffic's size which range it was.
	r.Header.Set("Add-Padding", "true")
	r.Header.Set("User-Agent", "Gatehouse")
	answer, err := c.http.Do(r)
	if err != nil {
		return nil, outbound.Cause(err)
	}
	if answer.StatusCode != http.StatusOK {
		_ = answer.Body.Close() // nothing was wanted of it
		return nil, fmt.Errorf("pwned: status %d", answer.StatusCode)
	}
	return answer.Body, nil
}
