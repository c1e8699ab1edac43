package selfservice_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gatehouse-id/gatehouse/internal/id"
)

// TestFactors_Offer: a passkey that nobody asked for can be left, also after a try that
// failed, and leads on to the app when it was taken.
func TestFactors_Offer(t *testing.T) {
	w := newFactorWorld(t)
	o := w.owner(w.ada)
	flowID := id.New().String()
	later := `href="/oauth2/authorize?flow=` + flowID + `"`
	page := o.get("/account/factors/passkey?offer=1&flow=" + flowID)
	sees(t, page, http.StatusOK, "Sign in faster next time", "Not now", later, "!account-nav", "!Back to second factors")
	sees(t, o.get("/account/factors/passkey?offer=1"), http.StatusOK, `href="/">Not now`)
	sees(t, o.get("/account/factors/passkey?flow="+flowID), http.StatusOK, "!Not now", "Back to second factors")
	page = o.post("/account/factors/passkey", hidden(t, page, "response", "{}"))
	sees(t, page, http.StatusUnprocessableEntity, "Sign in faster next time", "Not now", later)
	device := o.key()
	page = o.post("/account/factors/passkey", hidden(t, page, "response", device(attribute(t, page, "data-options"))))
	sees(t, page, http.StatusOK, "Keep your recovery codes", later)
}

// TestFactors_Signal: after a removal the device is told what is left.
func TestFactors_Signal(t *testing.T) {
	w := newFactorWorld(t)
	o := w.owner(w.ada)
	for range 2 {
		page := o.get("/account/factors/passkey")
		device := o.key()
		o.post("/account/factors/passkey", hidden(t, page, "response", device(attribute(t, page, "data-options"))))
		w.now = w.now.Add(time.Second)
	}
	list := o.have()
	if len(list.Passkeys) != 2 {
		t.Fatalf("%d passkeys", len(list.Passkeys))
	}
	sees(t, o.get("/account/factors"), http.StatusOK, "!data-accepted", "!/static/accepted.")
	form := hidden(t, o.get("/account/factors/remove?id="+list.Passkeys[0].ID.String()))
	leads(t, o.post("/account/factors/remove", form), "/account/factors?done=removed")
	page := o.get("/account/factors?done=removed")
	sees(t, page, http.StatusOK, "/static/accepted.")
	var told map[string]any
	w.must(json.Unmarshal([]byte(attribute(t, page, "data-accepted")), &told))
	want := map[string]any{
		"rpId": "id.example.com", "userId": base64.RawURLEncoding.EncodeToString(w.ada.ID[:]),
		"allAcceptedCredentialIds": []any{base64.RawURLEncoding.EncodeToString(list.Passkeys[1].CredentialID)},
	}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
}
