package testenv

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
)

// keeperScript is what outlives the test binary. It reads lines
// "+ SIGNAL PID" (a process group to end) and "- SIGNAL PID" (it has ended)
// and acts when the pipe closes: signal, wait up to ten seconds, kill, remove
// the folder given as $1. A group that is gone is forgotten at once, so that
// its number, which the system may give to somebody else, is never signalled.
const keeperScript = `
live=
while read -r op signal pid; do
	case $op in
	+) live="$live $signal:$pid" ;;
	-)
		rest=
		for p in $live; do
			[ "$p" = "$signal:$pid" ] || rest="$rest $p"
		done
		live=$rest
		;;
	esac
done
for p in $live; do kill -s "${p%%:*}" -- "-${p#*:}"; done
tries=0
while [ $tries -lt 200 ]; do
	left=
	for p in $live; do
		kill -s 0 -- "-${p#*:}" && left="$left $p"
	done
	[ -n "$left" ] || break
	live=$left
	tries=$((tries + 1))
	sleep 0.05
done
for p in $left; do kill -s KILL -- "-${p#*:}"; done
rm -rf -- "$1"
`

// keeper owns the temporary folder of this test binary and the shell that
// cleans up after it. The zero value is ready; the shell starts when a folder
// is first asked for.
type keeper struct {
	mu     sync.Mutex
	dir    string
	cmd    *exec.Cmd
	pipe   io.WriteCloser
	before []func() error
}

// theKeeper is the one of this test binary: the functions of this package
// must find it without being handed anything but a testing.TB.
var theKeeper keeper

// folder makes a new folder, mode 0700, that goes away with the test binary.
func (k *keeper) folder(name string) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if err := k.start(); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(k.dir, name+"-")
	if err != nil {
		return "", fmt.Errorf("make a folder for %s: %w", name, err)
	}
	return dir, nil
}

// start makes the binary's folder and starts the shell. The caller holds mu.
func (k *keeper) start() error {
	if k.cmd != nil {
		return nil
	}
	dir, err := os.MkdirTemp("", "gatehouse-test-")
	if err != nil {
		return fmt.Errorf("make the temporary folder: %w", err)
	}
	// PostgreSQL refuses to run as root; the account it then runs as has to
	// pass through here to its own folder, but need not read it.
	if err := os.Chmod(dir, 0o711); err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	cmd := exec.Command("/bin/sh", "-c", keeperScript, "testenv-keeper", dir)
	// A group of its own: Ctrl-C in the terminal must not end the keeper
	// before it has done its work.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Dir = filepath.Dir(dir)
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return errors.Join(err, os.RemoveAll(dir))
	}
	if err := cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("start the keeper: %w", err), os.RemoveAll(dir))
	}
	k.dir, k.cmd, k.pipe = dir, cmd, pipe
	return nil
}

// tell sends one line to the shell: op is "+" or "-".
func (k *keeper) tell(op, signal string, pid int) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pipe == nil {
		return nil // end has run: the shell knows what it needs
	}
	if _, err := fmt.Fprintln(k.pipe, op, signal, pid); err != nil {
		return fmt.Errorf("tell the keeper: %w", err)
	}
	return nil
}

// beforeEnd registers what Main does while the servers still run.
func (k *keeper) beforeEnd(f func() error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.before = append(k.before, f)
}

// end lets the shell clean up and waits for it.
func (k *keeper) end() error {
	k.mu.Lock()
	before, cmd, pipe := k.before, k.cmd, k.pipe
	k.before, k.pipe = nil, nil
	k.mu.Unlock()
	var errs []error
	for _, f := range before {
		errs = append(errs, f())
	}
	if pipe != nil {
		errs = append(errs, pipe.Close(), cmd.Wait())
	}
	return errors.Join(errs...)
}
