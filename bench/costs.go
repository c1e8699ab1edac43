package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
)

// tokenCosts is the table "What a token costs" of docs/measurements.md. Its figures are those of the
// benchmark beside the provider, which knows how to make a bare server.
func tokenCosts(ctx context.Context, b *bench) error {
	if b.costs == 0 {
		return nil
	}
	b.note("tokens: go test ./provider -bench Cost")
	cmd := exec.CommandContext(ctx, "go", "test", "./provider", "-run", "^$", "-bench", "^BenchmarkCost$", "-benchtime", fmt.Sprintf("%dx", b.costs))
	cmd.Dir, cmd.Env = b.root, withoutSettings()
	out, err := cmd.CombinedOutput()
	if err != nil {
		if bytes.Contains(out, []byte("not installed")) {
			b.note("tokens: %s", bytes.TrimSpace(out))
			return nil
		}
		return fmt.Errorf("%w\n%s", err, out)
	}
	operations, costs := readCosts(string(out))
	if len(operations) == 0 {
		return errors.New("the benchmark printed no costs")
	}
	t := &table{
		title: "What a token costs",
		note: fmt.Sprintf("Milliseconds of CPU for one operation, server and PostgreSQL together, 8 connections, %s operations each (`BenchmarkCost` in `provider`). "+
			"The bare server does the same work without any policy.", count(b.costs)),
		head: []string{"operation", "bare server", "Gatehouse", "of it PostgreSQL", "memory of Gatehouse"},
	}
	for _, name := range operations {
		bare, ours := costs["Bare/"+name], costs["Gatehouse/"+name]
		t.add(name, bare["cpu-ms/op"], ours["cpu-ms/op"], ours["database-ms/op"], ours["MiB"]+" MiB")
	}
	b.print(t)
	return nil
}

// readCosts reads what go test prints: the operations in order, and by server and
// operation the figures by unit.
func readCosts(printed string) ([]string, map[string]map[string]string) {
	var operations []string
	costs := map[string]map[string]string{}
	for line := range strings.Lines(printed) {
		fields := strings.Fields(line)
		if len(fields) < 4 {
			continue
		}
		name, ok := strings.CutPrefix(fields[0], "BenchmarkCost/")
		server, operation, both := strings.Cut(name, "/")
		if !ok || !both {
			continue
		}
		if at := strings.LastIndexByte(operation, '-'); at > 0 { // the number of processors
			operation = operation[:at]
		}
		if server == "Gatehouse" {
			operations = append(operations, operation)
		}
		figures := map[string]string{}
		for i := 2; i+1 < len(fields); i += 2 {
			figures[fields[i+1]] = fields[i]
		}
		costs[server+"/"+operation] = figures
	}
	return operations, costs
}
