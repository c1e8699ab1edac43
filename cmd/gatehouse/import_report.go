package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// lines is a file of JSON Lines about what one run of an import could not do, made at
// the first of them. It tells who people are: nobody else may read it.
type lines struct {
	name   string
	resume bool // the file of the run before is continued
	file   *os.File
}

// newLines takes away what an earlier run has left, unless this one resumes it: a
// list of yesterday beside a run without losses would be taken for its own.
func newLines(name string, resume bool) (*lines, error) {
	if !resume {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("the report of an earlier run: %w", err)
		}
	}
	return &lines{name: name, resume: resume}, nil
}

func (l *lines) add(item any) error {
	if l.file == nil {
		how := os.O_CREATE | os.O_WRONLY | os.O_EXCL
		if l.resume {
			how = os.O_CREATE | os.O_WRONLY | os.O_APPEND
		}
		var err error
		if l.file, err = os.OpenFile(l.name, how, 0o600); err != nil {
			return err
		}
	}
	text, err := json.Marshal(item)
	if err != nil {
		return err
	}
	_, err = l.file.Write(append(text, '\n'))
	return err
}

func (l *lines) close() error {
	if l.file == nil {
		return nil
	}
	return l.file.Close()
}
