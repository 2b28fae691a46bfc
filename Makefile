# A menu for people; "make" prints it. What a change must pass is .ci/run, which
# does not need make.

# What a target may be told: make demo ARGS="--story single", make bench BENCH=Mine.
ARGS      ?=
PKG       ?= ./...
BENCH     ?= .
BENCHTIME ?= 1s
COUNT     ?= 1
FUZZTIME  ?= 30
SOAK      ?= 3m
LEADER    ?= 1000
SIZE      ?= 1e6
HEAVY     ?=

.DEFAULT_GOAL := help
.PHONY: help demo build test race bench speed accuracy verify soak corpus leader table fuzz test-k8s spin update lint

help: ## print this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: build ## a shop under load, a twist, and the sentence that names it (ARGS="--story single")
	@bin/eddy demo $(ARGS)

build: ## bin/eddy; the first time takes a few minutes, most of it for DuckDB
	@[ -x bin/eddy ] || echo "building bin/eddy; the first time takes a few minutes, most of it for DuckDB" >&2
	@. ./.ci/env && go build -o bin/eddy ./cmd/eddy

test: ## go test ./... (PKG=./internal/web for one package)
	@. ./.ci/env && go test $(PKG)

race: ## the same under the race detector
	@. ./.ci/env && go test -race -shuffle=on $(PKG)

bench: ## the benchmarks of the hot paths (BENCH=regexp BENCHTIME=1s COUNT=1)
	@. ./.ci/env && go test -run '^$$' -bench '$(BENCH)' -benchtime $(BENCHTIME) -count $(COUNT) -benchmem \
		$$(grep -rlE --include='*_test.go' '^func Benchmark' . | xargs -n1 dirname | sort -u)

speed: ## what mining takes by rows, attributes, conditions and order, in memory and from a file (HEAVY=1: up to 1e7 and 1e8 rows)
	@. ./.ci/env && EDDY_HEAVY=$(HEAVY) go test -run '^$$' -bench '^Benchmark(Scale|Put)$$' -benchtime $(BENCHTIME) -benchmem -timeout 0 ./internal/interaction
	@. ./.ci/env && for rows in 200000 $(if $(HEAVY),4000000); do \
		EDDY_ROWS=$$rows go test -run '^$$' -bench '^BenchmarkWorlds$$' -benchtime $(BENCHTIME) -timeout 0 ./internal/accuracy || exit; done
	@$(MAKE) --no-print-directory table SIZE=1e6
	@$(if $(HEAVY),$(MAKE) --no-print-directory table SIZE=1e8 TABLE_FORMAT=parquet)

accuracy: ## how often the engine is right: worlds with known causes, and labelled data (ARGS="-full", ARGS=-h)
	@. ./.ci/env && go run ./internal/accuracy/measure $(ARGS)

verify: build ## the simulator against closed forms and published experiments (about half a minute)
	@bin/eddy sim verify

soak: ## a server under all the load it takes, for SOAK=3m: its memory must stay where it is
	@. ./.ci/env && EDDY_SOAK=$(SOAK) go test ./internal/app -run '^TestSoak$$' -v -count 1 -timeout 0

corpus: build ## what experiments and replays find against what was planted, over all scenarios; some minutes (ARGS=flag-combination)
	@bin/eddy sim corpus $(ARGS)

table: ## eddy explain on a table of SIZE=1e6 rows, beside DuckDB reading it (TABLE_FORMAT=csv,parquet)
	@. ./.ci/env && EDDY_TABLE_ROWS=$(SIZE) EDDY_TABLE_FORMAT=$(TABLE_FORMAT) go test ./internal/store/duckdb -run '^TestALargeTableIsExplained$$' -v -count 1 -timeout 0

leader: ## leaders are paused and cut off until LEADER=1000 were deposed in each mode: no late write may get in
	@. ./.ci/env && TMPDIR=$${LEADER_DIR:-/dev/shm} EDDY_LEADER=$(LEADER) go test ./internal/mediator/etcd -run '^TestADeposedLeaderCannotWrite$$' -v -count 1 -timeout 0

fuzz: ## every fuzz target, one after the other (FUZZTIME=30 seconds each)
	@.ci/fuzz $(FUZZTIME)

test-k8s: build ## eddy and its manifests with a real kube-apiserver; building that takes a quarter of an hour once
	@.ci/test-k8s

spin: ## the model checker beside Debian's spin, on every model that the tests have
	@. ./.ci/env && EDDY_REQUIRE_SPIN=1 EDDY_SPIN=all go test ./internal/modelcheck -run '^TestSpinAgrees$$' -v

update: ## rewrite the golden files, then show which ones changed
	@. ./.ci/env && EDDY_UPDATE=1 go test $(PKG)
	@git status --short -- '*/testdata/*'

lint: ## all linters; run it before a commit
	@.ci/lint
	@. ./.ci/env && go tool -modfile=tools/golangci.mod golangci-lint run ./...
