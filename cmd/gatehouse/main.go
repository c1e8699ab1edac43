// Command gatehouse is the authorization server and everything that is done with
// it from a shell: serving, the demo, migrations, first users and apps.
//
// It is the one place where the parts are joined (wire.go). Each command has a
// file; what commands decide is decided in the domain. They open the same storage
// as a running server, so that what they change holds at its next request.
//
// Every failure is one line on standard error and exit code 1. Exit code 2 is an
// answer: diff has found differences.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/gatehouse-id/gatehouse/cmd/gatehouse/config"
)

func main() {
	// A second signal ends the process at once.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop)
	c := &call{ctx: ctx, environ: os.Environ(), stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, now: time.Now}
	os.Exit(c.run(os.Args[1:]))
}

// call is one call of the program.
type call struct {
	ctx            context.Context
	environ        []string
	stdin          io.Reader
	stdout, stderr io.Writer
	now            func() time.Time
	flags          config.Flags
	json           bool
}

// commandLine is the whole grammar.
type commandLine struct {
	config.Flags
	JSON bool `name:"json" help:"Answer in JSON."`

	Dev     devCommand     `cmd:"" help:"Start Gatehouse, a demo app and a demo API on loopback."`
	Serve   serveCommand   `cmd:"" help:"Serve."`
	Migrate migrateCommand `cmd:"" help:"Bring the database up to this release, or show how far it is."`
	Apply   applyCommand   `cmd:"" help:"Make APIs, groups and clients as a file says."`
	Diff    diffCommand    `cmd:"" help:"Show what apply would do; exit code 2 if there is anything."`
	Export  exportCommand  `cmd:"" help:"Write APIs, groups, clients and settings as a file for apply."`
	Import  importCommand  `cmd:"" help:"Take over what Django or Keycloak kept about people and what they may do."`
	Doctor  doctorCommand  `cmd:"" help:"Check configuration, database, Redis, issuer, clock and keys."`
	Version versionCommand `cmd:"" help:"Show the version."`
	Guard   guardCommand   `cmd:"" help:"Check tokens for servers in other languages: for nginx, Traefik and Envoy, or as their proxy."`

	Healthcheck healthcheckCommand `cmd:"" help:"Ask the server on this machine whether it is ready; for containers."`

	User          userCommand          `cmd:"" help:"People."`
	Group         groupCommand         `cmd:"" help:"Groups, their members and permissions."`
	PermissionSet permissionSetCommand `cmd:"" name:"permission-set" help:"Permissions under one name, for apps that act for themselves."`
	API           apiCommand           `cmd:"" name:"api" help:"APIs and the permissions that they ask for."`
	Client        clientCommand        `cmd:"" help:"Apps."`
	Session       sessionCommand       `cmd:"" help:"Signed-in browsers."`
	Mail          mailCommand          `cmd:"" help:"Mails."`
	Settings      settingsCommand      `cmd:"" help:"Settings that the database keeps, beside the configuration."`
	Templates     templatesCommand     `cmd:"" help:"Pages, mails and texts of your own."`
	Keys          keysCommand          `cmd:"" help:"Signing keys."`
	Follower      followerCommand      `cmd:"" help:"Resource servers that follow what is taken back."`
	Audit         auditCommand         `cmd:"" help:"What was done, by whom, to whom."`
	Revoke        revokeCommand        `cmd:"" help:"Take back what was given."`
}

// run parses and carries out one command line and returns the exit code.
func (c *call) run(args []string) int {
	var line commandLine
	done := false // help was shown
	parser, err := kong.New(
		&line, kong.Name("gatehouse"), kong.Description("An OAuth 2.0 and OpenID Connect authorization server."),
		kong.Writers(c.stdout, c.stderr), kong.Exit(func(int) { done = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.ExplicitGroups([]kong.Group{{
			Key: "settings", Title: "Settings:",
			Description: "Each is also a variable (GATEHOUSE_DATA_DIR) and a name in the YAML file (data_dir); GATEHOUSE_SECRET and the like end in _FILE to name a file.",
		}}),
		// Ids may begin with a dash.
		kong.WithHyphenPrefixedParameters(true),
	)
	if err != nil {
		return c.fail(err)
	}
	parsed, err := parser.Parse(args)
	if done {
		return 0
	}
	if err != nil {
		return c.fail(fmt.Errorf("%w (see gatehouse --help)", err))
	}
	c.flags, c.json = line.Flags, line.JSON
	err = parsed.Run(c)
	if coded, ok := errors.AsType[interface {
		error
		ExitCode() int
	}](err); ok {
		return coded.ExitCode()
	}
	if err != nil {
		return c.fail(err)
	}
	return 0
}

// fail says in one line what went wrong.
func (c *call) fail(err error) int {
	text := strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
	_, _ = fmt.Fprintln(c.stderr, "gatehouse:", text) // nobody is left to tell
	return 1
}

// config resolves the settings.
func (c *call) config() (*config.Config, error) {
	cfg, err := config.Load(c.flags, c.environ)
	if err != nil {
		return nil, err
	}
	return cfg, nil
}

// answer writes a result: v in JSON if that was asked for, else what text writes.
func (c *call) answer(v any, text func(w io.Writer)) error {
	var out strings.Builder
	if c.json {
		e := json.NewEncoder(&out)
		e.SetEscapeHTML(false)
		e.SetIndent("", "  ")
		if err := e.Encode(v); err != nil {
			return fmt.Errorf("write the answer: %w", err)
		}
	} else {
		text(&out)
	}
	if _, err := io.WriteString(c.stdout, out.String()); err != nil {
		return fmt.Errorf("write the answer: %w", err)
	}
	return nil
}

// done is the answer of a command that has only changed something.
func (c *call) done(format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	return c.answer(map[string]string{"result": text}, func(w io.Writer) { _, _ = fmt.Fprintln(w, text) })
}

// note tells the person at the shell something beside the answer.
func (c *call) note(format string, args ...any) {
	_, _ = fmt.Fprintf(c.stderr, "note: "+format+"\n", args...) // a note may be lost
}

// errNothingGiven is a mistake on the command line that kong cannot see.
var errNothingGiven = errors.New("nothing was given")
