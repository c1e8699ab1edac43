SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c

# How long each fuzz target runs.
FUZZTIME ?= 30s

# The linters are pinned in a module of their own (tools/go.mod).
TOOL := go tool -modfile=tools/go.mod

# Packages whose test files hold a line that matches $(1).
having = $$(grep -rlE --include='*_test.go' --exclude-dir=node_modules --exclude-dir=tools '$(1)' . | xargs -r -n1 dirname | sort -u)

.PHONY: help run build test test-long check bench bench-go fuzz screenshots

help: ## show this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name what; do printf '%-12s %s\n' "$$name" "$$what"; done

run: ## start Gatehouse, a demo app and a demo API on loopback
	go run ./cmd/gatehouse dev

build: ## build bin/gatehouse, static
	CGO_ENABLED=0 go build -trimpath -o bin/gatehouse ./cmd/gatehouse

test: check ## install what tests need, check the code, run all tests (minutes)
	CGO_ENABLED=1 go test -race -timeout 20m ./...
	go test -run '^TestSimulation$$' ./revocation/sim

test-long: check ## the same with the tests that take long (two hours)
	GATEHOUSE_TEST_LONG=1 CGO_ENABLED=1 go test -race -timeout 120m ./...
	GATEHOUSE_TEST_LONG=1 go test -run '^TestSimulation$$' -timeout 120m ./revocation/sim

# The tests in tools read .depguard.yml, whose changes the test cache of another
# module does not see.
check: ## format, vet, staticcheck, import rules
	.ci/install
	@unformatted=$$(find . -name node_modules -prune -o -name '*.go' -exec gofmt -l {} +); \
	if [ -n "$$unformatted" ]; then echo "gofmt -w these:" $$unformatted; exit 1; fi
	go vet ./...
	$(TOOL) staticcheck ./...
	$(TOOL) depguard ./...
	cd tools && go test -count=1 ./...

bench: ## measure the promises and draw the chart of the README (minutes; BENCH=-full: an hour or more)
	go run ./bench $(BENCH) -chart docs/images/revocation-latency.svg

bench-go: ## run the Go benchmarks
	@packages=$(call having,^func Benchmark); \
	[ -n "$$packages" ] || { echo "no benchmarks"; exit 1; }; \
	go test -run '^$$' -bench . -benchmem $$packages

fuzz: ## run each fuzz target for FUZZTIME (30s)
	@for package in $(call having,^func Fuzz); do \
		for target in $$(sed -nE 's/^func (Fuzz[A-Za-z0-9_]*)\(.*/\1/p' $$package/*_test.go); do \
			echo "$$package $$target"; \
			go test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

screenshots: ## take the pictures of docs/images
	@mkdir -p docs/images
	@packages=$(call having,^func Test[A-Za-z0-9_]*Screenshots); \
	[ -n "$$packages" ] || { echo "no test takes screenshots"; exit 1; }; \
	GATEHOUSE_SCREENSHOTS='$(CURDIR)/docs/images' go test -count=1 -run Screenshots $$packages
