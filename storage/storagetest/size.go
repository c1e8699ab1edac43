package storagetest

import "os"

// size returns how often something is tried: small with make test, large with
// make test-long, where interleavings that are rare get their chance.
func size(small, large int) int {
	if os.Getenv("GATEHOUSE_TEST_LONG") != "" {
		return large
	}
	return small
}
