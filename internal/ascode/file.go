package ascode

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/goccy/go-yaml"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// MaxFile bounds a file in bytes, and so what one transaction does.
const MaxFile = 4 << 20

// DefaultManager is the name of a file that gives itself none.
const DefaultManager = "file"

// File is what a file says.
type File struct {
	// Manager is the name under which the file's objects are marked.
	Manager        string          `yaml:"manager,omitempty"`
	Settings       map[string]any  `yaml:"settings,omitempty"`
	APIs           []API           `yaml:"apis,omitempty"`
	PermissionSets []PermissionSet `yaml:"permission_sets,omitempty"`
	Groups         []Group         `yaml:"groups,omitempty"`
	Clients        []Client        `yaml:"clients,omitempty"`

	name string // for errors
}

// namesClient reports whether the file names a client by its client_id.
func (f *File) namesClient(clientID string) bool {
	return slices.ContainsFunc(f.Clients, func(c Client) bool { return c.ClientID == clientID })
}

// Name is the file's own, or DefaultManager.
func (f *File) manager() string { return cmp.Or(f.Manager, DefaultManager) }

// Read reads a file in YAML or JSON; name is what errors call it. Unknown members,
// a second document, and an object that is named twice are errors; those of syntax
// and form tell the line.
func Read(name string, r io.Reader) (*File, error) {
	text, err := io.ReadAll(io.LimitReader(r, MaxFile+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(text) > MaxFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", name, MaxFile)
	}
	f, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	f.name = name
	if err := f.check(); err != nil {
		return nil, err
	}
	return f, nil
}

func parse(text []byte) (*File, error) {
	if err := plainTree(text); err != nil {
		return nil, err
	}
	d := yaml.NewDecoder(bytes.NewReader(text), yaml.Strict())
	var f File
	err := d.Decode(&f)
	if errors.Is(err, io.EOF) { // an empty file wants nothing
		return &f, nil
	}
	if err == nil {
		err = f.locate(text)
	}
	if err != nil {
		return nil, errors.New(yaml.FormatError(err, false, false))
	}
	return &f, nil
}

// check finds what no one object can tell.
func (f *File) check() error {
	if f.Manager != "" {
		if err := accounts.ValidateManager(f.Manager); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	for _, list := range f.lists() {
		named := map[string]int{}
		for _, o := range list {
			key, line := o.key(), o.place()
			if key == "" {
				return f.at(line, errors.New("it has no name"))
			}
			if first, twice := named[key]; twice {
				return f.at(line, fmt.Errorf("%q is named in line %d already", o.label(), first))
			}
			named[key] = line
		}
	}
	return f.checkPlaces()
}

// checkPlaces refuses to keep two secrets in one file, where the second one would be lost.
func (f *File) checkPlaces() error {
	kept := map[string]int{}
	check := func(path string, line int) error {
		if first, twice := kept[path]; twice && path != "" {
			return f.at(line, fmt.Errorf("secret_file %q is named in line %d already", path, first))
		}
		kept[path] = line
		return nil
	}
	for _, a := range f.APIs {
		if err := check(a.SecretFile, a.line); err != nil {
			return err
		}
	}
	for _, c := range f.Clients {
		if err := check(c.SecretFile, c.line); err != nil {
			return err
		}
	}
	return nil
}

// object is what all kinds of objects of a file can say about themselves.
type object interface {
	// key is the same for two objects only if they mean the same.
	key() string
	label() string
	place() int
}

func (f *File) lists() [][]object {
	return [][]object{objects(f.APIs), objects(f.PermissionSets), objects(f.Groups), objects(f.Clients)}
}

func objects[T object](list []T) []object {
	out := make([]object, len(list))
	for i, o := range list {
		out[i] = o
	}
	return out
}

// at says where in the file an error is.
func (f *File) at(line int, err error) error {
	if line == 0 {
		return fmt.Errorf("%s: %w", cmp.Or(f.name, "file"), err)
	}
	return fmt.Errorf("%s:%d: %w", cmp.Or(f.name, "file"), line, err)
}
