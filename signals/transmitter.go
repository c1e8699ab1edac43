package signals

import (
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/gorilla/mux"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/secret"
	"github.com/gatehouse-id/gatehouse/internal/web"
	"github.com/gatehouse-id/gatehouse/jobs"
)

// Paths of the endpoints, relative to the issuer.
const (
	pathStreams       = "/signals/streams"
	pathStatus        = "/signals/status"
	pathAddSubject    = "/signals/subjects/add"
	pathRemoveSubject = "/signals/subjects/remove"
	pathVerify        = "/signals/verify"
	pathPoll          = "/signals/poll/"
	pathMetadata      = "/.well-known/ssf-configuration"
)

// Receiver is who calls.
type Receiver struct {
	ClientID string
}

// Authorizer finds the receiver of a request by its access token: a client's own,
// for the issuer, with the scope signals:manage. If there is none it answers, and
// reports false.
type Authorizer interface {
	Receiver(w http.ResponseWriter, r *http.Request) (*Receiver, bool)
}

// Signer signs the claims of a security event token as a compact JWS of the type
// secevent+jwt, by RS256: that is what every receiver can verify (CAEP
// Interoperability Profile §2.6).
type Signer interface {
	SignSET(ctx context.Context, claims []byte) (string, error)
}

// Transmitter serves and delivers streams. Its exported fields are its
// dependencies, and all of them must be set before the first use.
type Transmitter struct {
	Issuer     *url.URL // without a trailing slash
	Authorizer Authorizer
	Signer     Signer
	Streams    StreamStore
	Subjects   SubjectStore
	Events     EventStore
	Deliveries DeliveryStore
	Accounts   AccountStore
	Relay      string // the name of the relay whose sink this is
	Tx         accounts.Tx
	Audit      accounts.AuditWriter
	Jobs       jobs.Enqueuer
	Keyring    *secret.Keyring
	Client     *http.Client // of package outbound: receivers choose the addresses
	// AllowHTTP lets receivers on loopback be pushed to without TLS, for
	// development.
	AllowHTTP bool
	Log       *slog.Logger
	Now       func() time.Time

	signed  signedCache
	pollers pollers
}

// Mount adds the endpoints to r, whose root is the origin of the issuer.
func (t *Transmitter) Mount(r *mux.Router) {
	path := t.Issuer.Path
	metadata := web.OpenCORS(http.HandlerFunc(t.metadata))
	r.Handle(pathMetadata+path, metadata)
	if path != "" {
		r.Handle(path+pathMetadata, metadata) // where some look instead
	}
	for at, methods := range map[string]map[string]handler{
		pathStreams: {
			http.MethodPost: t.create, http.MethodGet: t.read, http.MethodPatch: t.update,
			http.MethodPut: t.replace, http.MethodDelete: t.remove,
		},
		pathStatus:            {http.MethodGet: t.readStatus, http.MethodPost: t.setStatus},
		pathAddSubject:        {http.MethodPost: t.addSubject},
		pathRemoveSubject:     {http.MethodPost: t.removeSubject},
		pathVerify:            {http.MethodPost: t.verify},
		pathPoll + "{stream}": {http.MethodPost: t.poll},
	} {
		r.Handle(path+at, t.endpoint(methods))
	}
}

// handler answers an authorized request, or returns what is wrong with it.
type handler func(w http.ResponseWriter, r *http.Request, by *Receiver) error

func (t *Transmitter) endpoint(methods map[string]handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, ok := methods[r.Method]
		if !ok {
			w.Header().Set("Allow", allowed(methods))
			t.fail(w, r, &problem{http.StatusMethodNotAllowed, codeRequest, "The method is not allowed here"})
			return
		}
		by, ok := t.Authorizer.Receiver(w, r)
		if !ok {
			return
		}
		web.Event(r.Context()).ClientID = by.ClientID
		if err := h(w, r, by); err != nil {
			t.fail(w, r, err)
		}
	})
}

// metadata is the transmitter's configuration (SSF §7.1).
func (t *Transmitter) metadata(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		t.fail(w, r, &problem{http.StatusMethodNotAllowed, codeRequest, "Only GET and HEAD are allowed here"})
		return
	}
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	web.WriteJSON(w, http.StatusOK, metadata{
		SpecVersion:            "1_0",
		Issuer:                 t.Issuer.String(),
		JWKS:                   t.url("/.well-known/jwks.json"),
		DeliveryMethods:        []Method{Push, Poll},
		ConfigurationEndpoint:  t.url(pathStreams),
		StatusEndpoint:         t.url(pathStatus),
		AddSubjectEndpoint:     t.url(pathAddSubject),
		RemoveSubjectEndpoint:  t.url(pathRemoveSubject),
		VerificationEndpoint:   t.url(pathVerify),
		CriticalSubjectMembers: []string{"user", "session"},
		AuthorizationSchemes:   []scheme{{SpecURN: "urn:ietf:rfc:6749"}},
		DefaultSubjects:        "NONE",
	})
}

type metadata struct {
	SpecVersion            string   `json:"spec_version"`
	Issuer                 string   `json:"issuer"`
	JWKS                   string   `json:"jwks_uri"`
	DeliveryMethods        []Method `json:"delivery_methods_supported"`
	ConfigurationEndpoint  string   `json:"configuration_endpoint"`
	StatusEndpoint         string   `json:"status_endpoint"`
	AddSubjectEndpoint     string   `json:"add_subject_endpoint"`
	RemoveSubjectEndpoint  string   `json:"remove_subject_endpoint"`
	VerificationEndpoint   string   `json:"verification_endpoint"`
	CriticalSubjectMembers []string `json:"critical_subject_members"`
	AuthorizationSchemes   []scheme `json:"authorization_schemes"`
	DefaultSubjects        string   `json:"default_subjects"`
}

type scheme struct {
	SpecURN string `json:"spec_urn"`
}

func (t *Transmitter) url(path string) string { return t.Issuer.String() + path }

func (t *Transmitter) now() int64 { return t.Now().UnixMilli() }

// note writes a change of a stream into the audit log.
// before is the stream as it was, nil for a new one; s is nil for one that is gone.
func (t *Transmitter) note(ctx context.Context, actor audit.Actor, action string, before, s *Stream, details map[string]any) error {
	if details == nil {
		details = map[string]any{}
	}
	e := audit.Event{Actor: actor, Action: "signals.stream." + action, TargetKind: "signal stream", Details: details}
	for _, side := range []*Stream{before, s} {
		if side != nil {
			details["client_id"], e.TargetID = side.ClientID, side.ID.String()
		}
	}
	e.Before, e.After = streamChanges(before, s), streamChanges(s, before)
	return t.Audit.WriteAudit(ctx, e)
}

// streamChanges is what is set in one state of a stream and otherwise in another. How
// Gatehouse authenticates to the receiver is sealed and told nowhere.
func streamChanges(of, other *Stream) map[string]any {
	if of == nil {
		return nil
	}
	if other == nil {
		other = &Stream{}
	}
	out := map[string]any{}
	for name, pair := range map[string][2]string{
		"method": {string(of.Method), string(other.Method)}, "endpoint": {of.Endpoint, other.Endpoint},
		"description": {of.Description, other.Description}, "status": {string(of.Status), string(other.Status)},
		"reason": {of.Reason, other.Reason},
	} {
		if pair[0] != pair[1] && pair[0] != "" {
			out[name] = pair[0]
		}
	}
	if !slices.Equal(of.Requested, other.Requested) {
		out["events_requested"] = slices.Clone(of.Requested)
	}
	return out
}

func (by *Receiver) actor() audit.Actor { return audit.Actor{Kind: audit.Client, ID: by.ClientID} }
