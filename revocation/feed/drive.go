package feed

import "context"

// Resume returns the place from which a stream goes on after a cursor, or the
// reason of the reset that it is sent instead, just as GET /revocations/stream
// decides it. An error means that this cannot be told now. It is for who drives
// lanes without HTTP.
func (h *Handler) Resume(ctx context.Context, a *Audience, cursor string) (from Mark, reset string, err error) {
	h.init()
	return h.resume(ctx, a, cursor)
}
