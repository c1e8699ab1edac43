// Package tools pins the linters of this repository in a module of its own,
// so that they never enter the module graph of Gatehouse, and tests the rules
// that they are given (.depguard.yml in the folder above).
//
// Run one from the repository's root:
//
//	go tool -modfile=tools/go.mod staticcheck ./...
package tools
