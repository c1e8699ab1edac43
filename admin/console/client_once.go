package console

import (
	"encoding/base64"
	"errors"
	"net/url"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/templates"
)

// The page with a new app's secret is the answer to the form, for it must not be had a
// second time. So that a browser that sends the form again makes no second app, the
// form's own number decides the client_id, which there is once.

// formNumber is the field that holds it.
const formNumber = "number"

// number is the field for a form that makes an app.
func (v *visit) number() templates.Field {
	value := v.form.Get(formNumber)
	if value == "" {
		value = id.New().String()
	}
	return templates.Field{Name: formNumber, Value: value}
}

// clientIDOf is the client_id that a form's number leads to, with nobody having a choice
// in it; empty for any other, which is made without.
func (v *visit) clientIDOf(number string) string {
	if _, err := id.Parse(number); err != nil {
		return ""
	}
	const bytes = 16 // of randomness in every client_id
	sum := v.Keyring.Derive("new-client", []byte(number), []byte(v.user.Subject))
	return base64.RawURLEncoding.EncodeToString(sum[:bytes])
}

// madeBefore leads to the app that the same form has made already.
func (v *visit) madeBefore(clientID string, err error) bool {
	if clientID == "" || !errors.Is(err, accounts.ErrConflict) {
		return false
	}
	if _, err := v.Admin.Client(v.r.Context(), v.caller, clientID); err != nil {
		return false
	}
	v.Redirect(v.w, v.here("clients/show")+"?"+url.Values{"id": {clientID}, "done": {"created"}}.Encode())
	return true
}
