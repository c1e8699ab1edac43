package endtoend_test

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gatehouse-id/gatehouse/internal/testenv"
)

// program is the path of the program under test.
var program string

func TestMain(m *testing.M) {
	if err := build(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	testenv.Main(m)
}

// build makes the program as people would. It lands beside the test binary, in the
// folder that go test removes.
func build() error {
	if err := lookAtSources(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	program = filepath.Join(filepath.Dir(self), "gatehouse-under-test")
	cmd := exec.Command("go", "build", "-o", program, "github.com/gatehouse-id/gatehouse/cmd/gatehouse")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the program: %w\n%s", err, out)
	}
	return nil
}

// lookAtSources reads the folders of the module. The test cache notes what a test
// opens, but not what a compiler that it starts opens: without this, a change of
// the program would show yesterday's results.
func lookAtSources() error {
	root := filepath.Join("..", "..")
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(entry.Name(), ".") && path != root
		if entry.IsDir() && (hidden || entry.Name() == "node_modules") {
			return fs.SkipDir
		}
		return nil
	})
}
