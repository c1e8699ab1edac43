package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// ProblemType is the media type of a Problem (RFC 9457 §3).
const ProblemType = "application/problem+json"

// Problem is what a caller of the admin API is told about a request that was not
// done (RFC 9457 §3.1). It holds nothing of what went wrong inside: that is in the
// log, under the same request id.
type Problem struct {
	Type      string         `json:"type" format:"uri" doc:"Which kind of problem this is. It leads to its explanation."`
	Title     string         `json:"title" doc:"The kind of problem in a few words, always the same for a type."`
	Status    int            `json:"status" doc:"The status of the answer."`
	Detail    string         `json:"detail,omitempty" doc:"What is wrong with this request."`
	RequestID string         `json:"request_id,omitempty" doc:"The id of the request; the log knows it."`
	Errors    []ProblemField `json:"errors,omitempty" doc:"What is wrong with members of the request, one by one."`
}

// ProblemField is what is wrong with one part of a request.
type ProblemField struct {
	// Pointer is a JSON Pointer (RFC 6901) into the body as a fragment, such as
	// "#/email"; empty when the fault is elsewhere.
	Pointer   string `json:"pointer,omitempty" doc:"Where in the body, as the fragment of a JSON Pointer (RFC 6901)."`
	Parameter string `json:"parameter,omitempty" doc:"Which parameter of path or query, or which header."`
	Detail    string `json:"detail" doc:"What is wrong there."`
	Reason    string `json:"reason,omitempty" doc:"A fixed word for it, where there is one."`
}

// WriteProblem answers with p, with the id of the request in its context.
func WriteProblem(w http.ResponseWriter, r *http.Request, p Problem) {
	p.RequestID = RequestID(r.Context())
	body, err := json.Marshal(p)
	if err != nil {
		panic(fmt.Errorf("encode problem: %w", err))
	}
	NoStore(w)
	h := w.Header()
	h.Set("Content-Type", ProblemType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(p.Status)
	_, _ = w.Write(body) // a client that went away has nobody to be told
}
