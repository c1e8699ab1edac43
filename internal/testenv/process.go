package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// program is an executable that tests need.
type program struct {
	// names are looked up in PATH, then as glob patterns in folders; the last
	// match of a pattern is the highest version.
	names   []string
	folders []string
	// debian is the package to name when it is missing.
	debian string
}

func (p program) find() (string, error) {
	for _, name := range p.names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	for _, folder := range p.folders {
		for _, name := range p.names {
			found, err := filepath.Glob(filepath.Join(folder, name))
			if err != nil {
				return "", fmt.Errorf("look for %s: %w", name, err)
			}
			if len(found) > 0 {
				return slices.Max(found), nil
			}
		}
	}
	return "", fmt.Errorf("%s is not installed: apt-get install %s", p.names[0], p.debian)
}

// process is a started program, in a process group of its own.
type process struct {
	cmd  *exec.Cmd
	log  string
	done chan struct{} // closed once it has ended
}

// command says how to start a process.
type command struct {
	path string
	args []string
	dir  string // where it runs and keeps its log
	env  []string
	// signal is what the keeper sends at the end, by its shell name.
	signal string
	// as, if not nil, is the account to run as.
	as *syscall.Credential
}

func start(c command) (*process, error) {
	name := filepath.Base(c.path)
	log, err := os.OpenFile(filepath.Join(c.dir, name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer log.Close()
	cmd := exec.Command(c.path, c.args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), c.env...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: c.as}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	p := &process{cmd: cmd, log: log.Name(), done: make(chan struct{})}
	if err := theKeeper.tell("+", c.signal, cmd.Process.Pid); err != nil {
		p.signal(syscall.SIGKILL)
		return nil, err
	}
	go func() {
		defer close(p.done)
		// How it ended is told by its log; that it ended, by done.
		_ = cmd.Wait()
		_ = theKeeper.tell("-", c.signal, cmd.Process.Pid)
	}()
	return p, nil
}

// signal reaches the whole process group; one that has ended is no error.
func (p *process) signal(s syscall.Signal) {
	_ = syscall.Kill(-p.cmd.Process.Pid, s)
}

// kill ends the process at once, also one that is stopped, and waits.
func (p *process) kill() {
	select {
	case <-p.done:
		return // its number may belong to somebody else by now
	default:
	}
	p.signal(syscall.SIGKILL)
	<-p.done
}

// await asks ready until it says nil. It fails when the process ends, or
// after 30 s, with the end of the process's log.
func (p *process) await(ready func() error) error {
	const patience = 30 * time.Second
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	name := filepath.Base(p.cmd.Path)
	for deadline := time.Now().Add(patience); ; {
		err := ready()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s is not ready after %v: %w\n%s", name, patience, err, p.lastLog())
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended at its start: %s", name, p.lastLog())
		case <-tick.C:
		}
	}
}

func (p *process) lastLog() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	const most = 2000
	return strings.TrimSpace(string(text[max(0, len(text)-most):]))
}
