package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var updatePage = flag.Bool("update", false, "write docs/commands.md")

// TestCommandsPage: docs/commands.md is what the program says of itself.
func TestCommandsPage(t *testing.T) {
	var line commandLine
	parser, err := kong.New(&line, kong.Name("gatehouse"))
	if err != nil {
		t.Fatal(err)
	}
	const page = "../../docs/commands.md"
	want := commandsPage(parser.Model)
	if *updatePage {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the program says; write it anew: go test ./cmd/gatehouse -run TestCommandsPage -update", page)
	}
}

func commandsPage(model *kong.Application) string {
	var b strings.Builder
	b.WriteString("# Commands\n\n<!-- Written by go test ./cmd/gatehouse -run TestCommandsPage -update -->\n\n" +
		"Each command takes `--json`, to answer in JSON, and the [settings](operate.md#settings) as flags. " +
		"`gatehouse COMMAND --help` says the same.\n")
	for _, top := range model.Children {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", top.Name, cell(top.Help))
		for _, leaf := range top.Leaves(true) {
			if leaf != top {
				fmt.Fprintf(&b, "\n### %s\n\n%s\n", leaf.Path(), cell(leaf.Help))
			}
			var rows []string
			for _, p := range leaf.Positional {
				rows = append(rows, fmt.Sprintf("| `%s` | %s |\n", p.Summary(), cell(p.Help)))
			}
			for _, f := range flagsOf(leaf) {
				rows = append(rows, fmt.Sprintf("| `%s` | %s |\n", strings.ReplaceAll(f.String(), "|", "\\|"), cell(f.Help)))
			}
			if len(rows) > 0 {
				b.WriteString("\n| | |\n| --- | --- |\n" + strings.Join(rows, ""))
			}
		}
	}
	return b.String()
}

// flagsOf are a command's own flags, and those of the command around it.
func flagsOf(leaf *kong.Command) []*kong.Flag {
	var flags []*kong.Flag
	for node := leaf; node != nil && node.Type != kong.ApplicationNode; node = node.Parent {
		for _, f := range node.Flags {
			if !f.Hidden {
				flags = append(flags, f)
			}
		}
	}
	return flags
}

func cell(text string) string { return strings.ReplaceAll(text, "|", "\\|") }
