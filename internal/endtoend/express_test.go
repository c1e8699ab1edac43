package endtoend_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// express is examples/express-posts.
var express = example{
	name: "express-posts",
	command: func(t *testing.T, folder, port string) *exec.Cmd {
		cmd := node(t, compiled(t, folder), "server.js")
		cmd.Env = append(cmd.Env, "PORT="+port)
		return cmd
	},
	vectors: func(t *testing.T, folder, file string) *exec.Cmd {
		return node(t, compiled(t, folder), "vectors.js", file)
	},
}

func TestExpressFollowsGatehouse(t *testing.T) { followsGatehouse(t, express) }

func TestExpressFollowsTheWire(t *testing.T) { followsTheWire(t, express) }

func TestExpressPassesTheVectors(t *testing.T) { passesTheVectors(t, express) }

// node is a script on Node, as people would start it.
func node(t *testing.T, folder string, args ...string) *exec.Cmd {
	t.Helper()
	path, flags := findNode(t)
	cmd := exec.Command(path, append(flags, args...)...)
	cmd.Dir = folder
	cmd.Env = append(os.Environ(), "NODE_NO_WARNINGS=1")
	return cmd
}

// compiled returns where the example's JavaScript is: outside the repository, whose
// files are what test results are cached for, with the libraries in reach.
func compiled(t *testing.T, folder string) string {
	t.Helper()
	libraries := filepath.Join(folder, "node_modules")
	for _, library := range []string{"express", "jose", "typescript"} {
		if _, err := os.Stat(filepath.Join(libraries, library)); err != nil {
			t.Fatalf("%s is not installed; run npm ci in examples/express-posts (make test does it)", library)
		}
	}
	out := filepath.Join(filepath.Dir(program), "express-posts")
	if _, err := os.Stat(filepath.Join(out, "server.js")); err == nil {
		return out
	}
	if err := os.MkdirAll(out, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(libraries, filepath.Join(out, "node_modules")); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(out, "package.json"), []byte(`{"type":"module"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	compile := node(t, folder, filepath.Join(libraries, "typescript", "bin", "tsc"), "--outDir", out)
	if said, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("tsc: %v\n%s", err, said)
	}
	return out
}
