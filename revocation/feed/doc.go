// Package feed lets resource servers follow the ledger over HTTP, in the format
// of package wire: GET /revocations answers what comes after a cursor,
// GET /revocations/stream goes on telling as server-sent events, and
// POST /revocations/position takes what a follower has applied.
//
// It owns the cursor, the lanes of streams, and the memory of what followers
// report; the ledger itself comes from revocation.Tail and the database.
//
// Invariants:
//   - A follower may miss no row that concerns it. Each frame continues the one
//     before it on the same connection (its prev is that one's position), the
//     position of a frame is never beyond what its rows lead to, and a cursor that
//     this server cannot continue without a gap is reset, never stretched (L6).
//   - Rows are left out for what is static alone: the audience of the kinds
//     permission and token (L3).
//   - What identifies people never crosses the wire: keys are hashed under a
//     secret of the audience, derived from the server's.
//   - No frame is built on what the database confirmed more than three seconds
//     ago (L5); until then the stream is silent, and the follower becomes stale.
//     A part of what was read at once is never called as fresh as the whole.
//   - Only a cursor that carries our MAC is evidence of a lost ledger, and only the
//     Tail, which asks the primary, decides (L8).
//   - Nobody makes this server hold anything for long: streams, snapshots and
//     instances are counted, writes have deadlines, there is no queue by
//     connection.
//
// [Lane] and [Audience] are pure: they have no clock, no lock and no socket. A
// simulation drives them as a [Handler] does:
//
//	lane := feed.NewLane(audience, tail.Last(), now)
//	lane.Cut(now, tail.Since, streams)      // whenever the tail changed, or after what it returned
//	reader := feed.NewReader(mark)          // where the follower's cursor leads
//	for {
//		step := lane.Next(now, reader)
//		switch {
//		case step.Reset != "":   // tell the follower, end
//		case step.Event != nil:  // deliver step.Event.Frame
//		case step.CatchUp != nil:
//			events, ok := audience.CatchUp(now, reader.Mark(), *step.CatchUp, tail.Since)
//			// deliver them in order; reset "too_old" if not ok
//		default:                 // nothing before the next Cut
//		}
//		reader = step.After
//	}
//
// Sources: wire, WHATWG HTML §9.2 (server-sent events), RFC 9110 §13 (If-None-Match),
// RFC 9111 §5.2 (Cache-Control), RFC 6750.
package feed
