package config

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// EnsureFolder makes the data folder if it is missing and shows that it can be
// written to.
func (c *Config) EnsureFolder() error {
	err := os.MkdirAll(c.DataDir, 0o700)
	if err == nil {
		var f *os.File
		if f, err = os.CreateTemp(c.DataDir, ".writable-*"); err == nil {
			err = errors.Join(f.Close(), os.Remove(f.Name()))
		}
	}
	if err != nil {
		return fmt.Errorf("data folder %s cannot be written to: %w (choose another with --data-dir or GATEHOUSE_DATA_DIR)", c.DataDir, cause(err))
	}
	return nil
}

// cause is what the system said, without the path again.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// SecretFile is where the secret is kept that was made and not given.
func (c *Config) SecretFile() string { return filepath.Join(c.DataDir, "secret") }

// EnsureSecret reads the secret of the data folder, and makes it before the first
// database is made there. It does nothing when a secret was given.
func (c *Config) EnsureSecret() error {
	if len(c.Secrets) > 0 {
		return nil
	}
	err := c.readSecret()
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Stat(c.DatabaseFile()); err == nil {
		return fmt.Errorf("the database %s is there and its secret %s is not: without it no key opens; restore it, or use another data folder", c.DatabaseFile(), c.SecretFile())
	}
	made := base64.RawURLEncoding.EncodeToString(secret.Random(32)) + "\n"
	if err := WriteOnce(c.SecretFile(), []byte(made)); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("make the secret: %w", err)
	}
	return c.readSecret()
}

func (c *Config) readSecret() error {
	value, err := readValue(c.SecretFile())
	if err != nil {
		return fmt.Errorf("secret of the data folder: %w", err)
	}
	if err := c.setSecret(value); err != nil {
		return fmt.Errorf("%s: %w", c.SecretFile(), err)
	}
	return nil
}

// WriteOnce writes a file that only its owner can read, all of it or nothing. It
// returns fs.ErrExist if the file is there, also when another process was faster.
func WriteOnce(path string, content []byte) error {
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, ".new-*") // with the mode 0600
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // the link stays
	_, err = f.Write(content)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	// Unlike a rename, a link never replaces what is there.
	if err := os.Link(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(folder)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
