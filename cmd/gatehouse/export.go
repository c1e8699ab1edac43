package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/gatehouse-id/gatehouse/internal/ascode"
	"github.com/gatehouse-id/gatehouse/internal/audit"
)

type exportCommand struct {
	Output  string   `short:"o" placeholder:"FILE" help:"Where to write; standard output by default."`
	Only    []string `placeholder:"PART,..." help:"Only settings, apis, permission_sets, groups or clients."`
	Members bool     `help:"Also who is in the groups and who manages them."`
}

// Run writes the deployment as a file for apply.
func (e *exportCommand) Run(c *call) error {
	if c.json {
		return errors.New("the file is YAML: leave out --json")
	}
	return c.with(false, func(ctx context.Context, d *domain, _ audit.Actor) error {
		file, err := d.deployment(c).Export(ctx, ascode.ExportOptions{Only: e.Only, People: e.Members})
		if err != nil {
			return err
		}
		if e.Output == "" || e.Output == "-" {
			return file.Write(c.stdout)
		}
		var text bytes.Buffer
		if err := file.Write(&text); err != nil {
			return err
		}
		return replaceFile(e.Output, text.Bytes())
	})
}

// replaceFile puts a whole file in the place of another: who reads it meanwhile, and
// who has no space left, has the old one.
func replaceFile(path string, content []byte) (err error) {
	temp, err := os.CreateTemp(filepath.Dir(path), ".gatehouse-export-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(temp.Name()) // the first error tells why
		}
	}()
	_, err = temp.Write(content)
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return os.Rename(temp.Name(), path)
}
