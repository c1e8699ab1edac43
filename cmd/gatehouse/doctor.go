package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strings"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/config"
	"github.com/gatehouse-id/gatehouse/storage/sqldb"
)

type doctorCommand struct{}

// How bad a finding is.
const (
	levelOK      = "ok"
	levelWarning = "warning" // it works, and less well than it could
	levelError   = "error"   // something does not work, or is not safe
)

// finding is one line of the diagnosis.
type finding struct {
	Check  string `json:"check"`
	Level  string `json:"level"`
	Text   string `json:"text"`
	Remedy string `json:"remedy,omitempty"`
}

// diagnosis collects findings.
type diagnosis struct {
	call     *call
	findings []finding
}

func (d *diagnosis) ok(check, format string, args ...any) {
	d.findings = append(d.findings, finding{Check: check, Level: levelOK, Text: fmt.Sprintf(format, args...)})
}

func (d *diagnosis) warn(check, remedy, format string, args ...any) {
	d.findings = append(d.findings, finding{Check: check, Level: levelWarning, Text: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (d *diagnosis) fail(check, remedy, format string, args ...any) {
	d.findings = append(d.findings, finding{Check: check, Level: levelError, Text: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (d *diagnosis) errors() int {
	n := 0
	for _, f := range d.findings {
		if f.Level == levelError {
			n++
		}
	}
	return n
}

// Run checks everything that a server needs, without changing anything.
func (doctorCommand) Run(c *call) error {
	d := &diagnosis{call: c}
	d.run(c.ctx)
	n := d.errors()
	err := c.answer(map[string]any{"findings": d.findings, "errors": n}, func(w io.Writer) {
		for _, f := range d.findings {
			_, _ = fmt.Fprintf(w, "%-7s  %s: %s\n", f.Level, f.Check, plain(f.Text))
			if f.Remedy != "" {
				_, _ = fmt.Fprintf(w, "         mend: %s\n", f.Remedy)
			}
		}
	})
	if err != nil {
		return err
	}
	if n > 0 {
		return fmt.Errorf("the doctor found %d %s to mend", n, plural(n, "thing"))
	}
	return nil
}

func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

func (d *diagnosis) run(ctx context.Context) {
	cfg, err := d.call.config()
	if err != nil {
		d.fail("configuration", "see gatehouse --help for the settings", "%v", err)
		return
	}
	d.ok("configuration", "issuer %s, listening on %s", cfg.Issuer, cfg.Listen)
	if cfg.DatabaseURL == "" {
		d.checkFolder(cfg)
	}
	db := d.openDatabase(ctx, cfg)
	if db != nil {
		defer db.Close()
		d.checkDatabase(ctx, cfg, db)
		d.checkKeys(ctx, cfg, db)
		d.checkAudit(ctx, cfg, db)
		d.checkSettings(ctx, cfg, db)
	}
	d.checkRedis(ctx, cfg)
	d.checkTemplates(cfg)
	d.checkMail(ctx, cfg)
	d.checkIssuer(ctx, cfg)
}

// checkFolder looks at the data folder.
func (d *diagnosis) checkFolder(cfg *config.Config) {
	const check = "data folder"
	info, err := os.Stat(cfg.DataDir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.warn(check, "gatehouse serve makes it at its first start; or name another with --data-dir", "%s does not exist", cfg.DataDir)
		return
	case err != nil:
		d.fail(check, "name another with --data-dir or GATEHOUSE_DATA_DIR", "%v", err)
		return
	case !info.IsDir():
		d.fail(check, "name another with --data-dir or GATEHOUSE_DATA_DIR", "%s is no folder", cfg.DataDir)
		return
	}
	if err := cfg.EnsureFolder(); err != nil {
		d.fail(check, "let the user that runs Gatehouse write there", "%v", err)
		return
	}
	if info.Mode().Perm()&0o077 != 0 {
		d.warn(check, "chmod 700 "+cfg.DataDir, "other users of this machine can look into %s", cfg.DataDir)
	} else {
		d.ok(check, "%s", cfg.DataDir)
	}
	for _, path := range []string{cfg.SecretFile(), cfg.DatabaseFile()} {
		info, err := os.Stat(path)
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			d.fail(check, "chmod 600 "+path+", and if somebody may have read it, change the secret", "%s can be read by other users", path)
		}
	}
}

// openDatabase returns nil if there is nothing to look at.
func (d *diagnosis) openDatabase(ctx context.Context, cfg *config.Config) *sqldb.DB {
	const check = "database"
	if file := cfg.DatabaseFile(); file != "" {
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			d.warn(check, "gatehouse serve makes it at its first start; or name its folder with --data-dir", "%s does not exist", file)
			return nil
		}
	}
	db, err := sqldb.Open(ctx, sqldb.Options{
		URL: cfg.Database().Reveal(), Now: d.call.now, Logger: slog.New(slog.DiscardHandler), TokenLife: ledgerRowLife,
	})
	if err != nil {
		d.fail(check, "check GATEHOUSE_DATABASE_URL, the network, and the user's rights", "%s", firstLine(err))
		return nil
	}
	return db
}

// firstLine is as much of an error as a person reads.
func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}
