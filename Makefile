# What a developer types; "make" alone lists it. .ci/run calls most of it.

GO       ?= go
SEEDS    ?= 200
FUZZTIME ?= 5s
BENCH    ?= .
OUT      ?= golem-demo.png

TOOL      = $(GO) tool -modfile=tools/go.mod
PLATFORMS = linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
NPM       = gsb/flexbuffers/testdata/npm

# Packages in which something runs beside something else.
CONCURRENT = ./activity/... ./devnet/... ./exeunit/... ./gftp/... ./gsb/... ./hub/... ./identity/... \
	./internal/longpoll/... ./market/... ./node/... ./p2p/... ./payment/... ./provider/... \
	./requestor/... ./rest/... ./sqlite/...

.PHONY: help
help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

.PHONY: build
build: ## the program, static: bin/golem
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "-s -w" -o bin/golem ./cmd/golem

.PHONY: demo
demo: ## a paid job across a network of this machine
	$(GO) run ./cmd/golem demo --out $(OUT)

.PHONY: test
test: ## the gate
	$(GO) test ./...

.PHONY: demo-check
demo-check: ## the demo, for machines: fails unless every invoice is settled
	@dir=$$(mktemp -d); trap 'rm -rf "$$dir"' EXIT; set -e; \
	$(GO) run ./cmd/golem demo --json --out "$$dir/picture.png" > "$$dir/report.json"; \
	cat "$$dir/report.json"; test -s "$$dir/picture.png"; \
	grep -q '"invoiceStatus": "SETTLED"' "$$dir/report.json"; \
	! grep '"invoiceStatus"' "$$dir/report.json" | grep -v SETTLED

# One processor a process: in Go 1.26 two timers of a synctest bubble that fire on
# two at once share a context of the race detector, which crashes now and then
# (runtime.timer.unlockAndRun). Races are found by order, not by chance, all the same.
.PHONY: race
race: ## the concurrent packages under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -cpu 1 -timeout 20m $(CONCURRENT)

.PHONY: fmt
fmt: ## refuse files that are not formatted
	@files=$$(gofmt -l .); test -z "$$files" || { echo "not formatted; run gofmt -w on:"; echo "$$files"; exit 1; }

.PHONY: vet
vet: ## go vet
	$(GO) vet ./...

.PHONY: lint
lint: ## staticcheck, of the version in tools/go.mod
	$(TOOL) staticcheck ./...

# govulncheck ends with 3 when it has found something, with 1 when it cannot work.
.PHONY: vuln
vuln: ## known vulnerabilities, where the database can be reached
	@said=$$($(TOOL) govulncheck ./... 2>&1); code=$$?; echo "$$said"; \
	if [ $$code -eq 1 ] && echo "$$said" | grep -q 'fetching vulnerabilities'; then \
		echo "NOT CHECKED: the vulnerability database cannot be reached from here"; exit 0; \
	fi; exit $$code

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZTIME
	@set -e; for file in $$(grep -rl --include='*_test.go' '^func Fuzz' .); do \
		for name in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\).*/\1/p' $$file); do \
			echo "$$(dirname $$file) $$name"; \
			$(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) $$(dirname $$file); \
		done; \
	done

.PHONY: flex-npm
flex-npm: ## what we encode, read by the npm package flatbuffers (needs Node.js)
	npm install --no-audit --no-fund --no-package-lock --prefix $(NPM)
	$(GO) test -count 1 -run TestNPM -v ./gsb/flexbuffers

.PHONY: sim
sim: ## SEEDS runs of whole nodes with faults, in virtual time
	$(GO) test ./test/sim -count 1 -timeout 60m -run TestSeeds -seeds $(SEEDS)

.PHONY: bench
bench: ## the benchmarks whose name matches BENCH
	$(GO) test -run '^$$' -bench '$(BENCH)' ./...

.PHONY: cross
cross: ## build everything for every platform, without cgo; vet each system once
	@set -e; export CGO_ENABLED=0; for p in $(PLATFORMS); do \
		echo $$p; export GOOS=$${p%/*} GOARCH=$${p#*/}; \
		$(GO) build ./...; \
		if [ $$GOARCH = amd64 ]; then $(GO) vet ./...; fi; \
	done

.PHONY: check
check: ## what CI runs; installs what is missing where it may
	.ci/run
