# The commands of CONTRIBUTING.md, which lists what each needs besides Go.

GOLANGCI_LINT = go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GORELEASER    = go run github.com/goreleaser/goreleaser/v2@v2.16.0
GOVULNCHECK   = go run golang.org/x/vuln/cmd/govulncheck@v1.8.0
MISSPELL      = go run github.com/golangci/misspell/cmd/misspell@v0.8.0
MODULES       = integration/modules.sh
COMPOSE       = go run github.com/compose-spec/compose-go/v2/cmd@v2.16.2
FILES        ?= docker-compose.yaml
FUZZTIME     ?= 60000x
TURNS        ?= 1000

AMQP  = MQTRACE_AMQP_URL=$${MQTRACE_AMQP_URL:-amqp://guest:guest@127.0.0.1:5672/}
REDIS = MQTRACE_REDIS_ADDR=$${MQTRACE_REDIS_ADDR:-127.0.0.1:6379}

.PHONY: all vet tidy lint test race servers load faults stack interop interop-node interop-packages compat browser screenshots fuzz bench compose config vuln ci

all: vet lint test

vet:
	go vet work
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	$(MODULES) tidy -diff

tidy:
	$(MODULES) tidy

lint:
	$(MODULES) each $(GOLANGCI_LINT) run --build-tags faults,load,release,stack,interop ./...
	for d in auto examples/zero-code; do (cd $$d && GOWORK=off $(GOLANGCI_LINT) run --build-tags woven ./...) || exit 1; done

test:
	go test work

race:
	go test -race work

servers:
	$(AMQP) $(REDIS) go test -race -count=1 work

# What a release must not break for importers of the modules, and the release itself.
.PHONY: release-test
release-test:
	go test -tags release -count=1 -run 'Adopters|Release' ./integration

# Compares the exported API with that of the last release, or of the commit that BASE names.
.PHONY: api
api:
	integration/api.sh $(BASE)

# The configuration of the binaries: GoReleaser checks it and builds the tool for this machine.
.PHONY: binaries
binaries:
	$(GORELEASER) check
	$(GORELEASER) build --snapshot --clean --single-target
	dist/*/mqtrace -h >/dev/null

# Tests that need many messages or spans: memory, order, nothing lost.
load:
	go test -tags load -count=1 $(LOAD) -run 'Load|Soak' ./integration/viewload ./integration/amqpbroker ./integration/faults

# The SDK setup in the README: a module of its own outside go.work, because of its
# exporters.
.PHONY: snippets
snippets:
	cd integration/snippets && GOWORK=off go vet ./... && GOWORK=off go test -count=1 ./...

# The YAML that no other test reads, in a module of its own outside go.work because of
# Kubernetes' types, and the links between pages.
.PHONY: documents
documents:
	cd integration/documents && GOWORK=off go vet ./... && GOWORK=off go test -count=1 ./...
	go test -count=1 -run 'Links|Index|Documents|Diffs' ./integration

# Wording and spelling. In Go comments, golangci-lint checks the spelling.
.PHONY: prose
prose:
	go test -count=1 -run Prose ./integration
	$(MISSPELL) -error $$(git ls-files '*.md' '*.tmpl' '*.sh' '*.yml' '*.yaml' '*.golden')

# Adapters for libraries around amqp091-go, in modules of their own outside go.work: on the
# in-process broker, and on the RabbitMQ that MQTRACE_AMQP_URL names.
.PHONY: adapters
adapters:
	for d in adapters/watermilltrace examples/wrappers/gocloud; do \
		(cd $$d && GOWORK=off go vet ./... && GOWORK=off go test -race -count=1 ./...) || exit 1; done

# The adapters of go-rabbitmq and machinery with the real libraries. Not part of CI, whose
# module proxy does not serve them.
.PHONY: wrappers
wrappers:
	integration/wrappers.sh

# Examples in modules of their own outside go.work: GraphQL and a database, on the in-process
# broker, and on the RabbitMQ that MQTRACE_AMQP_URL names.
.PHONY: example-modules
example-modules:
	for d in examples/graphql examples/database; do \
		(cd $$d && GOWORK=off go vet ./... && GOWORK=off go test -race -count=1 -timeout 2m ./...) || exit 1; done

# Programs that are built with orchestrion, and what it weaves into them: modules outside
# go.work. Takes four minutes, because the standard library is rebuilt.
.PHONY: zero-code
zero-code:
	cd auto && GOWORK=off go vet ./... && GOWORK=off go test -race -count=1 ./... && \
		GOWORK=off go tool orchestrion go test -race -count=1 -tags woven -timeout 5m ./internal/woven
	cd examples/zero-code && GOWORK=off go vet ./... && GOWORK=off go test -race -count=1 -timeout 10m ./...

# Starts its own RabbitMQ nodes and Redis, from Debian's packages.
faults:
	go test -tags faults -count=1 ./integration/faults
	go test -tags faults -count=1 -run Fault ./asynqtrace

# The production stack as processes, with a RabbitMQ and a Redis. The Collector, Jaeger and
# Prometheus are built first if they are missing, which takes twelve minutes.
# STACK='-skip Cluster' leaves out the RabbitMQ cluster, which takes half of the time.
stack:
	integration/stack/build.sh
	go test -tags stack -count=1 $(STACK) ./integration/stack

# Clients of other languages, protocols and versions, for docs/interop.md: needs Node.js 20
# with npm, a RabbitMQ and a Redis, and Debian's rabbitmq-server and python3-pika.
interop: interop-packages
	$(AMQP) $(REDIS) go test -tags interop -count=1 ./integration/interop ./integration/bullmq ./integration/asynq025

# The part of interop with OpenTelemetry's instrumentation for Node.js: needs Node.js 20 with
# npm, a RabbitMQ and a Redis.
interop-node: interop-packages
	$(AMQP) $(REDIS) go test -tags interop -count=1 -run Node ./integration/interop ./integration/bullmq

# npm install, because npm ci refuses a lock file without other platforms' packages.
interop-packages:
	for d in interop bullmq; do (cd integration/$$d && npm install --no-save --no-audit --no-fund --loglevel=error) || exit 1; done

# The oldest Go, OpenTelemetry, amqp091-go and asynq that the README names, the newest, and
# what asynq will release next.
compat:
	integration/compat.sh

# The page of mqtrace view, in /usr/bin/chromium or the browser that CHROMIUM names: needs
# Node.js 20 with npm.
browser: integration/browser/node_modules/.package-lock.json
	cd integration/browser && node view.test.js

# Takes the pictures of docs/view.md again.
screenshots: integration/browser/node_modules/.package-lock.json
	cd integration/browser && node screenshots.js

integration/browser/node_modules/.package-lock.json: integration/browser/package-lock.json
	cd integration/browser && npm ci --no-audit --no-fund --silent
	touch $@

# go test -fuzz takes one target of one package at a time. FUZZTIME counts executions: with
# a duration, a target that is busy at the end can fail with "context deadline exceeded"
# (https://go.dev/issue/75804).
fuzz:
	@set -e; for p in $$(go list work); do \
		for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
			echo "== $$p $$f"; go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$p; \
		done; \
	done

# Ratios to spans by hand, TURNS turns each; end to end too if MQTRACE_AMQP_URL and
# MQTRACE_REDIS_ADDR name servers. Fails if a ratio exceeds its limit. BENCH=-instructions
# counts instructions too, which takes four minutes and valgrind.
bench:
	cd integration/bench && GOWORK=off go run . -turns $(TURNS) $(BENCH)

# Writes docs/peers.md and docs/peers.svg, in about five minutes: needs valgrind for the
# column of instructions.
.PHONY: peers
peers:
	cd integration/bench && GOWORK=off go run . -turns $(TURNS) -instructions -peers ../../docs

# Checks every file of deploy with the programs that read it, if they are installed.
config:
	deploy/check.sh

compose:
	$(COMPOSE) -format json $(FILES) | go run ./integration/composecheck

vuln:
	$(MODULES) each $(GOVULNCHECK) ./...

ci:
	.ci/run
