package consent

import "github.com/gatehouse-id/gatehouse/internal/flow"

// Values of the buttons, in the field "action".
const (
	actionContinue = "continue"
	actionSwitch   = "switch"
	actionAllow    = "allow"
	actionDeny     = "deny"
	actionPasskey  = "passkey"
)

// ticket is the hidden field of a form about a flow, or about none.
func (h *Handler) ticket(browser, path string, f *flow.Flow, shown ...string) string {
	return h.Ticket(browser, path, flowText(f), shown...)
}

// checkTicket compares the token of a ticket in constant time.
func (h *Handler) checkTicket(token, browser, path string, f *flow.Flow, shown ...string) bool {
	return h.CheckTicket(token, browser, path, flowText(f), shown...)
}

func flowText(f *flow.Flow) string {
	if f == nil {
		return ""
	}
	return f.ID.String()
}
