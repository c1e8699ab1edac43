package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
)

// WriteJSON answers with v as application/json. It encodes before it writes, so an
// answer is whole or not begun; a v that cannot be encoded is a mistake in the
// program and panics, which Recover turns into the surface's 500.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Errorf("encode answer: %w", err))
	}
	h := w.Header()
	h.Set("Content-Type", "application/json") // RFC 8259 §11: the type has no charset
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that went away has nobody to be told
}
