package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/audit"
	"github.com/gatehouse-id/gatehouse/internal/importing"
)

type importCommand struct {
	Django   importDjango   `cmd:"" help:"Take over people, groups and permissions from Django (manage.py dumpdata)."`
	Keycloak importKeycloak `cmd:"" help:"Take over people, groups, roles and clients from Keycloak (kc.sh export)."`
}

// importOptions are those of every import of another program's file.
type importOptions struct {
	File        string `arg:"" placeholder:"FILE" help:"What the other program wrote, in JSON (docs/import.md)."`
	Resume      bool   `xor:"how" help:"Go on behind the last person whom an earlier run of this file has come to."`
	DryRun      bool   `name:"dry-run" xor:"how" help:"Write nothing, and tell what would happen."`
	Report      string `placeholder:"FILE" help:"Where is listed what could not be carried over (FILE.report)."`
	MergeGroups bool   `name:"merge-groups" help:"Put members and permissions also into groups that were there before."`
	ReplaceAt   string `name:"replace-at" placeholder:"TEXT" help:"What stands for the @ in usernames that hold one; such people are refused without."`
}

// run imports a file. source reads it, and how is everything that decides how.
func (o *importOptions) run(c *call, how any, source func(file *os.File) (importing.Source, error)) error {
	if strings.Contains(o.ReplaceAt, "@") {
		return errors.New("--replace-at: a text without an @")
	}
	file, _, digest, err := openToImport(o.File)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read
	src, err := source(file)
	if err != nil {
		return err
	}
	if digest, err = o.digest(digest, how); err != nil {
		return err
	}
	return c.with(!o.DryRun, func(ctx context.Context, d *domain, by audit.Actor) error {
		if err := d.checkSecret(ctx); err != nil {
			return err
		}
		target := &importing.Target{
			APIs: d.apis, Groups: d.groups, Clients: d.clients,
			Import: &accounts.Import{Journal: d.users.Journal, Users: d.users, Store: d.db},
		}
		out, err := newLines(cmp.Or(o.Report, o.File+".report"), o.Resume)
		if err != nil {
			return err
		}
		report := &importing.Report{Write: func(item importing.Item) error { return out.add(item) }}
		told := c.now()
		result, err := target.Run(ctx, by, src, report, importing.Options{
			Digest: digest, Resume: o.Resume, DryRun: o.DryRun, MergeGroups: o.MergeGroups, At: o.ReplaceAt,
			Progress: func(count accounts.ImportCount) {
				if now := c.now(); now.Sub(told) >= importProgressEvery {
					told = now
					_, _ = fmt.Fprintf(c.stderr, "%d people, %d made\n", count.Lines, count.Created) // may be lost
				}
			},
		})
		if closed := out.close(); err == nil {
			err = closed
		}
		if errors.Is(err, importing.ErrGroupsThere) {
			return fmt.Errorf("%w (rename them, or put members and permissions into them with --merge-groups)", err)
		}
		if err != nil {
			err = fmt.Errorf("import: %w", err)
			if result.People.Lines > 0 {
				err = fmt.Errorf("%w (the same command with --resume goes on there)", err)
			}
			if len(result.NewAPIs) == 0 {
				return err
			}
		}
		// Secrets of what was made before an error are not shown again.
		return errors.Join(err, o.answer(c, result, report, out))
	})
}

// digest names the content together with how it is read: other options make other
// people of the same file.
func (o *importOptions) digest(content string, how any) (string, error) {
	text, err := json.Marshal([]any{content, how, o.ReplaceAt})
	if err != nil {
		return "", fmt.Errorf("import: %w", err)
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), nil
}

// importAnswer is a result as it is told.
type importAnswer struct {
	DryRun      bool                 `json:"dry_run"`
	People      accounts.ImportCount `json:"people"`
	Groups      importing.Tally      `json:"groups"`
	Permissions importing.Tally      `json:"permissions"`
	APIs        importing.Tally      `json:"apis"`
	Clients     importing.Tally      `json:"clients"`
	NewAPIs     []newAPIAnswer       `json:"new_apis,omitempty"`
	NotCarried  []importing.Count    `json:"not_carried_over"`
	ReportFile  string               `json:"report_file,omitempty"`
}

type newAPIAnswer struct {
	Audience     string `json:"audience"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
}

func (o *importOptions) answer(c *call, r importing.Result, report *importing.Report, out *lines) error {
	a := importAnswer{
		DryRun: o.DryRun, People: r.People, Groups: r.Groups, Permissions: r.Permissions, APIs: r.APIs, Clients: r.Clients,
		NotCarried: report.Counts(),
	}
	if !o.DryRun { // what was made and is gone again has no secret
		for _, one := range r.NewAPIs {
			a.NewAPIs = append(a.NewAPIs, newAPIAnswer{Audience: one.Audience, ClientID: one.ClientID, ClientSecret: one.Secret.Reveal()})
		}
	}
	if out.file != nil {
		a.ReportFile = out.name
	}
	return c.answer(a, a.write)
}

func (a importAnswer) write(w io.Writer) {
	did := "made"
	if a.DryRun {
		did = "would be made"
	}
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format+"\n", args...) }
	line("people       %d %s, %d there already, %d refused", a.People.Created, did, a.People.Present, a.People.Refused)
	for _, t := range []struct {
		name string
		importing.Tally
	}{{"groups", a.Groups}, {"permissions", a.Permissions}, {"APIs", a.APIs}, {"clients", a.Clients}} {
		line("%-12s %d %s, %d there already", t.name, t.Made, did, t.Present)
	}
	for _, one := range a.NewAPIs {
		line("\nThe client of the server of %s (the secret is shown this once):\n\nCLIENT_ID=%s\nCLIENT_SECRET=%s", plain(one.Audience), one.ClientID, one.ClientSecret)
	}
	if len(a.NotCarried) == 0 {
		return
	}
	line("\nNot carried over, or not as it was (one by one in %s):\n", a.ReportFile)
	for _, n := range a.NotCarried {
		line("%6d  %-10s %s", n.Count, n.Kind, plain(n.Reason))
	}
}
