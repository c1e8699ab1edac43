package console

import (
	"slices"

	"github.com/gatehouse-id/gatehouse/internal/counts"
)

// meaning is the end of the message that says what a refusal means: the one about the
// error code and the reason if there is one, else the one about the code.
func meaning(w counts.What) string {
	for _, end := range []string{w.Name + "_" + w.Reason, w.Name} {
		if slices.Contains(meanings(), end) {
			return end
		}
	}
	switch w.Name {
	case "login_required", "consent_required", "interaction_required", "account_selection_required":
		return "silent"
	case "unsupported_grant_type", "unsupported_response_type", "request_not_supported", "request_uri_not_supported", "registration_not_supported":
		return "unsupported"
	case "server_error", "temporarily_unavailable":
		return "unavailable"
	}
	return "something"
}

// meanings are the ends of all messages about refusals.
func meanings() []string {
	return []string{
		"access_denied", "access_denied_factor", "access_denied_revoked",
		"invalid_client", "invalid_client_reused", "invalid_client_unknown_client",
		"invalid_grant", "invalid_grant_expired", "invalid_grant_factor", "invalid_grant_reused", "invalid_grant_revoked", "invalid_grant_unknown",
		"invalid_request", "invalid_request_redirect_uri", "invalid_request_uri", "invalid_scope", "invalid_target",
		"unauthorized_client", "unmet_authentication_requirements",
		"silent", "unsupported", "unavailable", "something",
	}
}
