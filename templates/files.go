package templates

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"
)

//go:embed html/*.html static/* locales/*/*.toml
var embedded embed.FS

// files answers with the operator's file where one exists, and with ours
// otherwise.
type files struct {
	override fs.FS
}

// read returns the file of that name, the override first.
func (f files) read(name string) ([]byte, error) {
	if f.override != nil {
		data, err := fs.ReadFile(f.override, name)
		if err == nil {
			return data, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("read override %s: %w", name, err)
		}
	}
	data, err := fs.ReadFile(embedded, name)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return data, nil
}

// list returns the paths that match pattern in either source, sorted, without
// hidden files such as the ones that file managers leave behind.
func (f files) list(pattern string) ([]string, error) {
	names, err := fs.Glob(embedded, pattern)
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", pattern, err)
	}
	if f.override != nil {
		more, err := fs.Glob(f.override, pattern)
		if err != nil {
			return nil, fmt.Errorf("list override %s: %w", pattern, err)
		}
		names = append(names, more...)
	}
	sort.Strings(names)
	unique := names[:0]
	for i, name := range names {
		if !hidden(name) && (i == 0 || name != names[i-1]) {
			unique = append(unique, name)
		}
	}
	return unique, nil
}

func hidden(name string) bool { return strings.HasPrefix(path.Base(name), ".") }
