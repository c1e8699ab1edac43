package templates

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// OriginsFile is the name, in an override folder, of the list that says from which
// state of our files the operator's were made: a line for each, its digest (SHA-256,
// hexadecimal), two blanks and its path, as sha256sum writes it.
const OriginsFile = "origins.txt"

// Ours returns our files by path: pages, mails, catalogs and static files.
func Ours() (map[string][]byte, error) {
	all := map[string][]byte{}
	for _, source := range []fs.FS{embedded, embeddedMails} {
		err := fs.WalkDir(source, ".", func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			data, err := fs.ReadFile(source, name)
			all[name] = data
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("read our files: %w", err)
		}
	}
	return all, nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// DriftState is how a file of an override stands to ours.
type DriftState string

// The states of a file.
const (
	DriftNone    DriftState = "current"   // made from the file as it is in this release
	DriftChanged DriftState = "changed"   // ours has changed since
	DriftUnknown DriftState = "unknown"   // nobody noted what it was made from
	DriftSame    DriftState = "identical" // the same as ours, so that it only hides later ones
)

// Drift is one file of an override that replaces one of ours.
type Drift struct {
	Path  string
	State DriftState
}

// Drifts compares an override with our files, sorted by path. Files that replace none
// of ours are not in it.
func Drifts(override fs.FS) ([]Drift, error) {
	ours, err := Ours()
	if err != nil {
		return nil, err
	}
	origins, err := Origins(override)
	if err != nil {
		return nil, err
	}
	var list []Drift
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		theirs, err := fs.ReadFile(override, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read override: %w", err)
		}
		d := Drift{Path: name, State: DriftChanged}
		switch origin, noted := origins[name]; {
		case bytes.Equal(theirs, ours[name]):
			d.State = DriftSame
		case !noted:
			d.State = DriftUnknown
		case origin == digest(ours[name]):
			d.State = DriftNone
		}
		list = append(list, d)
	}
	return list, nil
}

// Origins reads the list of an override: digests by path; empty without a list.
func Origins(override fs.FS) (map[string]string, error) {
	data, err := fs.ReadFile(override, OriginsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return map[string]string{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", OriginsFile, err)
	}
	list := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		sum, name, ok := strings.Cut(line, "  ")
		if !ok || len(sum) != hex.EncodedLen(sha256.Size) {
			return nil, fmt.Errorf("%s: line %d is not a digest, two blanks and a path", OriginsFile, n)
		}
		list[name] = strings.ToLower(sum)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read %s: %w", OriginsFile, err)
	}
	return list, nil
}

// WriteOrigins is the list of an override in which the files of the given paths were
// made from ours of this release, and the others from what was noted before.
func WriteOrigins(before map[string]string, now []string) ([]byte, error) {
	ours, err := Ours()
	if err != nil {
		return nil, err
	}
	list := maps.Clone(before)
	for _, name := range now {
		data, found := ours[name]
		if !found {
			return nil, fmt.Errorf("%s is none of our files", name)
		}
		list[name] = digest(data)
	}
	var b bytes.Buffer
	b.WriteString("# The state of Gatehouse's files from which those in this folder were made.\n")
	for _, name := range slices.Sorted(maps.Keys(list)) {
		b.WriteString(list[name] + "  " + name + "\n")
	}
	return b.Bytes(), nil
}
