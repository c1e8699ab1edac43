package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/gatehouse-id/gatehouse/templates"
)

type templatesCommand struct {
	Export templatesExport `cmd:"" help:"Write our pages, mails, texts and styles into a folder, as a start for your own (see templates_dir)."`
	Accept templatesAccept `cmd:"" help:"Note that the files of a folder are made from those of this release."`
}

type templatesExport struct {
	Folder string   `arg:"" name:"folder" help:"Where to; files that are there stay."`
	Files  []string `arg:"" optional:"" name:"file" help:"Only these, such as html/sign_in.html."`
}

// Run writes the files that are not there yet, and notes what they were made from.
func (e *templatesExport) Run(c *call) error {
	ours, err := templates.Ours()
	if err != nil {
		return err
	}
	names := e.Files
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(ours))
	}
	var written, kept []string
	for _, name := range names {
		data, found := ours[name]
		if !found {
			return fmt.Errorf("%s is none of our files", name)
		}
		fresh, err := writeNew(filepath.Join(e.Folder, filepath.FromSlash(name)), data)
		if err != nil {
			return err
		}
		if fresh {
			written = append(written, name)
		} else {
			kept = append(kept, name)
		}
	}
	if err := noteOrigins(e.Folder, written); err != nil {
		return err
	}
	return c.answer(map[string]any{"written": len(written), "kept": len(kept)}, func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "%d %s written to %s. Delete those that you do not change: they would hide what later releases change.\n",
			len(written), plural(len(written), "file"), e.Folder)
		if len(kept) > 0 {
			_, _ = fmt.Fprintf(w, "%d %s there before and stayed.\n", len(kept), plural(len(kept), "file"))
		}
	})
}

// writeNew writes a file that is not there yet.
func writeNew(name string, data []byte) (bool, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return false, fmt.Errorf("make the folder: %w", err)
	}
	file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("write: %w", err)
	}
	if _, err := file.Write(data); err != nil {
		return false, errors.Join(fmt.Errorf("write: %w", err), file.Close())
	}
	if err := file.Close(); err != nil {
		return false, fmt.Errorf("write: %w", err)
	}
	return true, nil
}

type templatesAccept struct {
	Folder string   `arg:"" name:"folder" help:"The folder of templates_dir."`
	Files  []string `arg:"" optional:"" name:"file" help:"Only these, such as html/sign_in.html."`
}

// Run notes the state of our files for those of a folder that replace them.
func (a *templatesAccept) Run(c *call) error {
	drifts, err := templates.Drifts(os.DirFS(a.Folder))
	if err != nil {
		return err
	}
	var names []string
	for _, d := range drifts {
		if len(a.Files) == 0 || slices.Contains(a.Files, d.Path) {
			names = append(names, d.Path)
		}
	}
	for _, name := range a.Files {
		if !slices.Contains(names, name) {
			return fmt.Errorf("%s does not replace any of our files", name)
		}
	}
	if err := noteOrigins(a.Folder, names); err != nil {
		return err
	}
	return c.answer(map[string]any{"noted": len(names)}, func(w io.Writer) {
		_, _ = fmt.Fprintf(w, "%d %s noted in %s\n", len(names), plural(len(names), "file"), filepath.Join(a.Folder, templates.OriginsFile))
	})
}

// noteOrigins adds to the list of a folder what its files are made from.
func noteOrigins(folder string, names []string) error {
	before, err := templates.Origins(os.DirFS(folder))
	if err != nil {
		return err
	}
	list, err := templates.WriteOrigins(before, names)
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, templates.OriginsFile), list, 0o644); err != nil {
		return fmt.Errorf("note what the files are made from: %w", err)
	}
	return nil
}
