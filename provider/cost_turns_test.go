package provider_test

import (
	"os"
	"testing"
)

// costBefore names a test binary of this package, made from another commit (go test
// -c), whose server BenchmarkCostInTurns measures beside this one.
const costBefore = "GATEHOUSE_COST_BEFORE"

// BenchmarkCostInTurns is BenchmarkCost with all servers in one run, which take turns
// of a hundred operations: on a machine that others use, only ratios between servers
// that met the same minute mean anything. Run it with -benchtime 5000x or more.
func BenchmarkCostInTurns(b *testing.B) {
	names := []string{"gatehouse", "bare"}
	servers := []*costRun{startCost(b, os.Args[0], costGatehouse), startCost(b, os.Args[0], costBare)}
	if before := os.Getenv(costBefore); before != "" {
		names, servers = append(names, "before"), append(servers, startCost(b, before, costGatehouse))
	}
	for _, op := range costOperations() {
		b.Run(op.name, func(b *testing.B) {
			const turn = 100
			server, database := make([]float64, len(servers)), make([]float64, len(servers))
			for _, s := range servers {
				s.batch(b, costWorkers, op.do)
			}
			for done := 0; done < b.N; done += turn {
				for i := range servers {
					i = (i + done/turn) % len(servers)
					s := servers[i]
					own, shared := cpu(s.server), s.databaseCPU()
					s.batch(b, min(turn, b.N-done), op.do)
					server[i] += cpu(s.server) - own
					database[i] += s.databaseCPU() - shared
				}
			}
			for i, name := range names {
				b.ReportMetric((server[i]+database[i])/float64(b.N), name+"-ms/op")
				b.ReportMetric(database[i]/float64(b.N), name+"-database-ms/op")
				b.ReportMetric(float64(resident(servers[i].server)), name+"-MiB")
			}
		})
	}
}
