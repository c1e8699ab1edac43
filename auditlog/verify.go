package auditlog

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/gatehouse-id/gatehouse/internal/id"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

const (
	verifyPage = 1000
	strayPage  = 5000
	// LateSeal is how long a row may wait before somebody should be told.
	LateSeal = time.Minute
)

// Link is a row of the chain.
type Link struct {
	Seq  int64
	ID   id.ID
	Hash []byte
	Row  *Record // nil if the row that was chained is not there
}

// Waiting tells of the rows that are not chained yet.
type Waiting struct {
	Rows   int
	Oldest int64 // Unix milliseconds
	// Lost is how many there should be and are not.
	Lost int
}

// ChainStore reads the chain.
type ChainStore interface {
	// AuditEnds returns the ends of the chain.
	AuditEnds(ctx context.Context) (*Ends, error)
	// AuditLinks returns rows of the chain above a number, in its order.
	AuditLinks(ctx context.Context, after int64, limit int) ([]Link, error)
	// AuditGone returns those of the people who were deleted.
	AuditGone(ctx context.Context, subs []string) ([]string, error)
	// AuditStrays looks at rows of the log above an id, and returns those that are
	// neither chained nor waiting, and the last that it looked at; zero at the end.
	AuditStrays(ctx context.Context, after id.ID, limit int) (strays []id.ID, last id.ID, err error)
	AuditWaitingRows(ctx context.Context) (Waiting, error)
}

// Finding is something that is not as it should be.
type Finding struct {
	Seq  int64  `json:"seq,omitempty"` // of the row, zero if it is not about one
	ID   string `json:"id,omitempty"`
	Text string `json:"text"`
}

// Report is what a verification found.
type Report struct {
	Verified int64 `json:"verified"` // rows whose place and content are proven
	Erased   int64 `json:"erased"`   // of them, those whose personal values were erased
	First    int64 `json:"first"`    // number of the first of them
	Head     Point `json:"-"`
	// Bad is the first row that does not fit, or what else proves that the log was
	// changed; nil if nothing does.
	Bad *Finding `json:"bad,omitempty"`
	// Waiting is how many rows are not sealed, Late whether one of them should be.
	Waiting int  `json:"waiting"`
	Late    bool `json:"late"`
}

// Verifier proves that the log is complete and unchanged.
type Verifier struct {
	Store   ChainStore
	Keyring *secret.Keyring
	Now     func() time.Time
}

// Verify looks at all rows, or with a noted head at those behind it, and at
// everything that is in no chain. It stops at the first row that does not fit.
// The error says what kept it from looking; what it found is in the report.
func (v *Verifier) Verify(ctx context.Context, noted *Point) (*Report, error) {
	report := &Report{}
	ends, err := v.Store.AuditEnds(ctx)
	if err != nil {
		return nil, err
	}
	report.Head = ends.Head
	if err := v.waiting(ctx, report); err != nil || report.Bad != nil {
		return report, err
	}
	from, bad := start(ends, noted)
	if bad != nil {
		report.Bad = bad
		return report, nil
	}
	if err := v.links(ctx, from, ends, noted, report); err != nil || report.Bad != nil {
		return report, err
	}
	// After the rows: which of them is wrong says more than that the end is.
	if err := ends.check(v.Keyring); err != nil {
		report.Bad = &Finding{Seq: ends.Head.Seq, Text: err.Error()}
		return report, nil
	}
	return report, v.strays(ctx, report)
}

// start is where verification begins.
func start(ends *Ends, noted *Point) (Point, *Finding) {
	switch {
	case noted == nil || noted.Seq == 0:
		return ends.Anchor, nil
	case noted.Seq > ends.Head.Seq:
		return Point{}, &Finding{Seq: ends.Head.Seq, Text: fmt.Sprintf("the end was cut off: row %d was noted as the head", noted.Seq)}
	case noted.Seq == ends.Anchor.Seq && !noted.is(ends.Anchor):
		return Point{}, &Finding{Seq: noted.Seq, Text: notNoted}
	case noted.Seq <= ends.Anchor.Seq:
		return ends.Anchor, nil // it has left by age, which the anchor proves
	}
	// The noted row itself is looked at as well.
	return Point{Seq: noted.Seq - 1}, nil
}

// links checks the rows behind from.
func (v *Verifier) links(ctx context.Context, from Point, ends *Ends, noted *Point, report *Report) error {
	trusting := noted != nil && noted.Seq > ends.Anchor.Seq
	report.First = from.Seq + 1
	for from.Seq < ends.Head.Seq {
		page, err := v.Store.AuditLinks(ctx, from.Seq, verifyPage)
		if err != nil {
			return err
		}
		if len(page) == 0 {
			report.Bad = &Finding{Seq: from.Seq + 1, Text: "rows were cut out from here to the end"}
			return v.cutMeanwhile(ctx, from)
		}
		gone, err := goneIn(ctx, v.Store, page)
		if err != nil {
			return err
		}
		for i := range page {
			l := &page[i]
			if l.Seq > ends.Head.Seq { // sealed since we began
				return nil
			}
			if trusting {
				trusting = false
				if report.Bad = meets(l, noted); report.Bad != nil {
					return v.cutMeanwhile(ctx, from)
				}
				from = *noted
				continue
			}
			if report.Bad = fits(l, from, gone); report.Bad != nil {
				return v.cutMeanwhile(ctx, from)
			}
			from = Point{Seq: l.Seq, Hash: l.Hash}
			report.Verified++
			if l.Row.ErasedAt != 0 {
				report.Erased++
			}
		}
	}
	return nil
}

// cutMeanwhile takes a finding back, and says so, if the row has left by age while we
// were on the way to it.
func (v *Verifier) cutMeanwhile(ctx context.Context, from Point) error {
	ends, err := v.Store.AuditEnds(ctx)
	if err == nil && ends.Anchor.Seq > from.Seq && ends.Anchor.proven(v.Keyring, macAnchor, ends.AnchorMAC) {
		return ErrMoved
	}
	return err
}

// ErrMoved says that rows left by age while they were verified: begin again.
var ErrMoved = fmt.Errorf("rows have left the log by age in the meantime: verify again")

const notNoted = "this is not the row that was noted as the head: the chain was written anew"

// meets checks the row that was noted.
func meets(l *Link, noted *Point) *Finding {
	if l.Seq != noted.Seq || !bytes.Equal(l.Hash, noted.Hash) {
		return &Finding{Seq: noted.Seq, Text: notNoted}
	}
	return nil
}

// fits checks one row against the one before it.
func fits(l *Link, before Point, gone []string) *Finding {
	f := &Finding{Seq: before.Seq + 1, ID: l.ID.String()}
	switch {
	case l.Seq != before.Seq+1:
		f.ID, f.Text = "", fmt.Sprintf("it was cut out: the next there is is row %d", l.Seq)
	case l.Row == nil:
		f.Text = "its event was cut out"
	case !bytes.Equal(l.Row.sum(before.Hash, l.Seq), l.Hash):
		f.Text = "it was changed, put in another's place, or its chain was"
	case l.Row.ErasedAt != 0 && !slices.ContainsFunc(l.Row.persons(), func(sub string) bool { return slices.Contains(gone, sub) }):
		f.Text = "what is personal in it was erased, and nobody in it was deleted"
	default:
		if err := l.Row.proven(); err != nil {
			f.Text = err.Error()
			return f
		}
		return nil
	}
	return f
}

// goneIn returns those of the people in erased rows who were deleted.
func goneIn(ctx context.Context, store interface {
	AuditGone(ctx context.Context, subs []string) ([]string, error)
}, page []Link,
) ([]string, error) {
	var erased []*Record
	for _, l := range page {
		if l.Row != nil && l.Row.ErasedAt != 0 {
			erased = append(erased, l.Row)
		}
	}
	if len(erased) == 0 {
		return nil, nil
	}
	return store.AuditGone(ctx, Persons(erased))
}

func (v *Verifier) waiting(ctx context.Context, report *Report) error {
	w, err := v.Store.AuditWaitingRows(ctx)
	if err != nil {
		return err
	}
	report.Waiting = w.Rows
	report.Late = w.Rows > 0 && v.Now().UnixMilli()-w.Oldest > LateSeal.Milliseconds()
	if w.Lost > 0 {
		report.Bad = &Finding{Text: fmt.Sprintf("%d events were cut out before they were sealed", w.Lost)}
	}
	return nil
}

// strays looks for rows that are in the log and in no chain.
func (v *Verifier) strays(ctx context.Context, report *Report) error {
	var after id.ID
	for {
		strays, last, err := v.Store.AuditStrays(ctx, after, strayPage)
		if err != nil {
			return err
		}
		if len(strays) > 0 {
			report.Bad = &Finding{ID: strays[0].String(), Text: "it is in the log and was never sealed: it was put there, or its place in the chain was taken away"}
			return nil
		}
		if last.IsZero() {
			return nil
		}
		after = last
	}
}
