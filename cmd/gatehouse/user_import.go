package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

// importProgressEvery is how often the person at the shell hears of a long import.
const importProgressEvery = 2 * time.Second

type userImport struct {
	File    string `arg:"" placeholder:"FILE" help:"JSON Lines, one account a line (docs/import.md)."`
	Resume  bool   `xor:"how" help:"Go on behind the last line that an earlier run of this file has committed."`
	DryRun  bool   `name:"dry-run" xor:"how" help:"Write nothing, and tell what would be refused."`
	Refused string `placeholder:"FILE" help:"Where lines that cannot be taken are listed with the reason (FILE.refused)."`
}

// Run takes over accounts.
func (u *userImport) Run(c *call) error {
	file, size, digest, err := openToImport(u.File)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read
	return c.with(!u.DryRun, func(ctx context.Context, d *domain, by audit.Actor) error {
		importer := &accounts.Import{Journal: d.users.Journal, Users: d.users, Store: d.db}
		before, err := importer.ImportProgress(ctx, digest)
		if err != nil {
			return err
		}
		if before.Lines > 0 && !u.Resume && !u.DryRun {
			c.note("an earlier run of this file came to line %d; --resume would have gone on there", before.Lines)
		}
		report, err := newLines(cmp.Or(u.Refused, u.File+".refused"), u.Resume)
		if err != nil {
			return err
		}
		in := &counting{from: file}
		p := &importProgress{call: c, in: in, size: size, began: c.now(), told: c.now(), before: before}
		if !u.Resume {
			p.before = accounts.ImportCount{}
		}
		count, err := importer.Run(ctx, by, in, accounts.ImportOptions{
			Digest: digest, Resume: u.Resume, DryRun: u.DryRun, Refused: func(refused accounts.ImportRefusal) error { return report.add(refused) }, Progress: p.tell,
		})
		if closed := report.close(); err == nil {
			err = closed
		}
		if err != nil {
			return fmt.Errorf("stopped behind line %d (go on there with --resume): %w", count.Lines, err)
		}
		return u.answer(c, count, report)
	})
}

func (u *userImport) answer(c *call, count accounts.ImportCount, report *lines) error {
	did := "made"
	if u.DryRun {
		did = "would be made"
	}
	a := map[string]any{
		"lines": count.Lines, "created": count.Created, "present": count.Present, "refused": count.Refused, "dry_run": u.DryRun,
	}
	if report.file != nil {
		a["refused_file"] = report.name
		c.note("the lines that were refused stand in %s, with the reasons", report.name)
	}
	return c.answer(a, func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "%d accounts %s, %d there already, %d refused, of %d lines\n", count.Created, did, count.Present, count.Refused, count.Lines)
	})
}

// openToImport opens a file and names its content: how far an import got is kept
// under that name, so that another file under the old path begins anew.
func openToImport(name string) (file *os.File, size int64, digest string, err error) {
	file, err = os.Open(name)
	if err != nil {
		return nil, 0, "", fmt.Errorf("import: %w", err)
	}
	fail := func(err error) (*os.File, int64, string, error) {
		_ = file.Close() // only read
		return nil, 0, "", fmt.Errorf("import: %w", err)
	}
	info, err := file.Stat()
	if err != nil {
		return fail(err)
	}
	if !info.Mode().IsRegular() {
		return fail(fmt.Errorf("%s is not a file that can be read twice", name))
	}
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return fail(err)
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return fail(err)
	}
	return file, info.Size(), hex.EncodeToString(h.Sum(nil)), nil
}

// counting knows how much of a file was read.
type counting struct {
	from io.Reader
	n    int64
}

// Read implements io.Reader.
func (c *counting) Read(p []byte) (int, error) {
	n, err := c.from.Read(p)
	c.n += int64(n)
	return n, err
}

// importProgress tells how far an import is, now and then.
type importProgress struct {
	*call
	in          *counting
	size        int64
	began, told time.Time
	before      accounts.ImportCount
}

func (p *importProgress) tell(count accounts.ImportCount) {
	now := p.now()
	if now.Sub(p.told) < importProgressEvery {
		return
	}
	p.told = now
	speed := float64(count.Lines-p.before.Lines) / now.Sub(p.began).Seconds()
	// Progress may be lost.
	_, _ = fmt.Fprintf(p.stderr, "%3d %%  %d lines, %d made, %d there already, %d refused, %.0f lines a second\n",
		100*p.in.n/max(p.size, 1), count.Lines, count.Created, count.Present, count.Refused, speed)
}
