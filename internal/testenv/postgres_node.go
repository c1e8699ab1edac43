package testenv

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// postgresNode is one PostgreSQL server: its folder, its account, its process.
type postgresNode struct {
	cluster
	dir     string
	as      *syscall.Credential
	args    []string
	process *process
}

// newPostgresNode makes a cluster and starts it on a free port. args are added to
// its command line.
func newPostgresNode(psql string, args ...string) (*postgresNode, error) {
	n, err := newPostgresFolder(psql, args)
	if err != nil {
		return nil, err
	}
	password := rand.Text()
	secret := filepath.Join(n.dir, "password")
	if err := os.WriteFile(secret, []byte(password+"\n"), 0o600); err != nil {
		return nil, fmt.Errorf("write the password: %w", err)
	}
	if n.as, err = giveAway(n.dir, secret); err != nil {
		return nil, err
	}
	err = n.perform("initdb", nil, "-D", n.data(), "-U", "postgres", "--pwfile", secret,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync")
	if err != nil {
		return nil, err
	}
	return n, n.startSomewhere(url.UserPassword("postgres", password))
}

// newPostgresFolder says where a server shall keep its data.
func newPostgresFolder(psql string, args []string) (*postgresNode, error) {
	dir, err := theKeeper.folder("postgres")
	if err != nil {
		return nil, err
	}
	n := &postgresNode{dir: dir, args: args}
	n.psql, n.templates = psql, map[string]func() (string, error){}
	return n, nil
}

func (n *postgresNode) data() string { return filepath.Join(n.dir, "data") }

// postgresProgram finds one of PostgreSQL's programs.
func postgresProgram(name string) (string, error) {
	return program{names: []string{name}, folders: postgresFolders(), debian: "postgresql"}.find()
}

// perform runs one of PostgreSQL's programs to its end.
func (n *postgresNode) perform(name string, env []string, args ...string) error {
	path, err := postgresProgram(name)
	if err != nil {
		return err
	}
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = n.dir, append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: n.as}
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// startSomewhere starts the server on a free port.
func (n *postgresNode) startSomewhere(superuser *url.Userinfo) error {
	for attempt := 1; ; attempt++ {
		port, err := freePort()
		if err != nil {
			return err
		}
		n.admin = &url.URL{
			Scheme: "postgres", User: superuser, Host: "127.0.0.1:" + port, Path: "/postgres", RawQuery: "sslmode=disable",
		}
		err = n.start()
		if err == nil || attempt == 3 { // somebody can take the port between the two steps
			return err
		}
	}
}

// start runs the server on its port and waits until it answers.
func (n *postgresNode) start() error {
	path, err := postgresProgram("postgres")
	if err != nil {
		return err
	}
	p, err := start(command{
		path: path, dir: n.dir, as: n.as,
		// SIGQUIT is PostgreSQL's immediate shutdown: unlike SIGKILL it
		// leaves no shared memory behind.
		signal: "QUIT",
		args: append([]string{
			"-D", n.data(), "-k", n.dir, "-p", n.admin.Port(), "-c", "listen_addresses=127.0.0.1",
			"-c", "max_connections=300", "-c", "fsync=off", "-c", "full_page_writes=off", "-c", "autovacuum=off",
		}, n.args...),
	})
	if err != nil {
		return err
	}
	if err := p.await(func() error { return n.run(n.admin, "SELECT 1") }); err != nil {
		p.kill()
		return err
	}
	n.process = p
	return nil
}

// crash is an immediate shutdown: connections are cut, and the next start has to
// recover from the log.
func (n *postgresNode) crash() {
	if n.process == nil {
		return
	}
	n.process.signal(syscall.SIGCONT)
	n.process.signal(syscall.SIGQUIT)
	<-n.process.done
}
