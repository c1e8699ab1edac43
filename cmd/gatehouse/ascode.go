package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/gatehouse-id/gatehouse/accounts"
	"github.com/gatehouse-id/gatehouse/internal/ascode"
	"github.com/gatehouse-id/gatehouse/internal/secret"
)

// maxReferred bounds the file of a secret that a file refers to.
const maxReferred = 64 << 10

// deployment is what files are applied to.
func (d *domain) deployment(c *call) *ascode.Deployment {
	return &ascode.Deployment{
		APIs: d.apis, Sets: d.sets, Groups: d.groups, Users: d.users, Clients: d.clients,
		Marks: &accounts.Marks{Journal: d.groups.Journal, Store: d.db}, Grants: d.db, Keys: d.keyring,
		Settings: d.settings.config().Deployment(), Kept: d.kept, Secret: c.referredSecret,
		Vacant: vacant,
	}
}

// referredSecret reads a secret that a file refers to, without the line's end.
func (c *call) referredSecret(kind, name string) (secret.Text, error) {
	var text string
	switch kind {
	case "env":
		for _, pair := range c.environ {
			if value, ok := strings.CutPrefix(pair, name+"="); ok {
				text = value
			}
		}
	case "file":
		f, err := os.Open(name)
		if err != nil {
			return "", err
		}
		defer func() { _ = f.Close() }() // only read
		body, err := io.ReadAll(io.LimitReader(f, maxReferred))
		if err != nil {
			return "", err
		}
		text = string(body)
	default:
		return "", fmt.Errorf("%q is no place for secrets", kind)
	}
	text = strings.TrimRight(text, "\r\n")
	if text == "" {
		return "", errors.New("there is no secret")
	}
	return secret.Text(text), nil
}

// vacant refuses a file that is there, and a folder that is not, before a secret is
// made that could be kept nowhere.
func vacant(path string) error {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("the secret would be kept in %s, which exists: move it away", path)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return fmt.Errorf("the secret would be kept in %s, and there is no such folder", path)
	}
	return nil
}
