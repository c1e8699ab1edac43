package admin

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// AddressField is what the addresses of an app are for.
type AddressField string

// The fields.
const (
	RedirectAddress    AddressField = "redirect_uris"
	PostLogoutAddress  AddressField = "post_logout"
	BackchannelAddress AddressField = "backchannel"
)

// Advice is what should be known of an address that can be registered.
type Advice string

// The advice.
const (
	// AdviceLocal: it leads to the browser's own computer.
	AdviceLocal Advice = "local"
	// AdviceLocalName: localhost may be resolved to something else (RFC 8252 §8.3).
	AdviceLocalName Advice = "local_name"
	// AdviceScheme: any app on the device can claim the scheme (RFC 8252 §8.6).
	AdviceScheme Advice = "scheme"
	// AdviceShared: another app has it too.
	AdviceShared Advice = "shared"
	// AdviceTwice: it stands there more than once.
	AdviceTwice Advice = "twice"
)

// Advices are all of them.
func Advices() []Advice {
	return []Advice{AdviceLocal, AdviceLocalName, AdviceScheme, AdviceShared, AdviceTwice}
}

// AddressFinding is what there is to say about one address: Err refuses it, or else
// Advice is given.
type AddressFinding struct {
	Address string
	Err     error
	Advice  Advice
	Other   string // name of the app that has it too
}

// CheckAddresses says of addresses whether an app of a type can have them, by the check
// that registration makes, and what should be known of them. clientID is the app's own
// id, empty for one that is not made yet. Errors: *Forbidden.
func (a *Admin) CheckAddresses(ctx context.Context, c *Caller, clientID string, kind accounts.ClientType, field AddressField, list []string) ([]AddressFinding, error) {
	if err := c.need(accounts.AdminClientsWrite); err != nil {
		return nil, err
	}
	if !slices.Contains([]AddressField{RedirectAddress, PostLogoutAddress, BackchannelAddress}, field) {
		return nil, nil // another field of the form
	}
	var found []AddressFinding
	add := func(address string, err error, advice Advice, other string) {
		found = append(found, AddressFinding{Address: address, Err: err, Advice: advice, Other: other})
	}
	if len(list) > accounts.MaxRedirectURIs {
		return []AddressFinding{{Err: accounts.Because(accounts.ErrInvalid, "at most %d", accounts.MaxRedirectURIs)}}, nil
	}
	for i, address := range list {
		if slices.Contains(list[:i], address) {
			add(address, nil, AdviceTwice, "")
			continue
		}
		if err := checkAddress(kind, field, address); err != nil {
			add(address, err, "", "")
			continue
		}
		for _, advice := range adviceOn(kind, address) {
			add(address, nil, advice, "")
		}
		if field != RedirectAddress {
			continue
		}
		others, err := a.alsoOf(ctx, c, clientID, address)
		if err != nil {
			return nil, err
		}
		for _, other := range others {
			add(address, nil, AdviceShared, other)
		}
	}
	return found, nil
}

func checkAddress(kind accounts.ClientType, field AddressField, address string) error {
	if field == BackchannelAddress {
		return accounts.ValidateBackchannelURI(address)
	}
	return accounts.ValidateRedirectURI(kind, address)
}

func adviceOn(kind accounts.ClientType, address string) []Advice {
	local := accounts.KindOfRedirect(address)
	switch {
	case local == accounts.CustomRedirect:
		return []Advice{AdviceScheme}
	case local != accounts.LoopbackRedirect:
		return nil
	case kind != accounts.NativeClient:
		return []Advice{AdviceLocal}
	case strings.HasPrefix(address, "http://localhost"):
		return []Advice{AdviceLocalName}
	}
	return nil
}

// alsoOf names other apps that have a redirect URI. What leads to somebody's own
// device many apps share.
func (a *Admin) alsoOf(ctx context.Context, c *Caller, clientID, address string) ([]string, error) {
	at, err := url.Parse(address)
	if err != nil || at.Hostname() == "" || accounts.KindOfRedirect(address) != accounts.HTTPSRedirect || !c.May(accounts.AdminClientsRead) {
		return nil, nil
	}
	list, err := a.Lists.ListedClients(ctx, ClientQuery{RedirectHost: at.Hostname(), Limit: MaxPage})
	if err != nil {
		return nil, err
	}
	var names []string
	for i := range list {
		if list[i].ClientID != clientID && slices.Contains(list[i].RedirectURIs, address) {
			names = append(names, list[i].Name)
		}
	}
	return names, nil
}

// TryClient says what stands against CreateClient, and makes nothing. Errors: as there.
func (a *Admin) TryClient(ctx context.Context, c *Caller, r accounts.Registration) error {
	return a.tried(ctx, func(ctx context.Context) error {
		_, _, err := a.CreateClient(ctx, c, r)
		return err
	})
}

// TryUpdateClient says what stands against UpdateClient, and changes nothing. Errors: as
// there.
func (a *Admin) TryUpdateClient(ctx context.Context, c *Caller, clientID string, change func(app *accounts.Client) error) error {
	return a.tried(ctx, func(ctx context.Context) error {
		_, err := a.UpdateClient(ctx, c, clientID, change)
		return err
	})
}

// errTried takes a transaction back that would have been made.
var errTried = errors.New("admin: only tried")

func (a *Admin) tried(ctx context.Context, f func(ctx context.Context) error) error {
	err := a.Clients.Tx.InTx(ctx, func(ctx context.Context) error {
		if err := f(ctx); err != nil {
			return err
		}
		return errTried
	})
	if errors.Is(err, errTried) {
		return nil
	}
	return err
}
