# The commands of CONTRIBUTING.md, which says what each needs besides Go.

GOLANGCI_LINT = go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK   = go run golang.org/x/vuln/cmd/govulncheck@v1.8.0
MODULES       = integration/modules.sh
COMPOSE       = go run github.com/compose-spec/compose-go/v2/cmd@v2.16.2
FILES        ?= docker-compose.yaml
FUZZTIME     ?= 30s
BENCHTIME    ?= 1s
BENCHCOUNT   ?= 3

AMQP  = MQTRACE_AMQP_URL=$${MQTRACE_AMQP_URL:-amqp://guest:guest@127.0.0.1:5672/}
REDIS = MQTRACE_REDIS_ADDR=$${MQTRACE_REDIS_ADDR:-127.0.0.1:6379}

.PHONY: all vet tidy lint test race servers faults stack interop interop-node interop-packages compat browser screenshots fuzz bench compose config vuln ci

all: vet lint test

vet:
	go vet work
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	$(MODULES) tidy -diff

tidy:
	$(MODULES) tidy

lint:
	$(MODULES) each $(GOLANGCI_LINT) run --build-tags faults,stack,interop ./...

test:
	go test work

race:
	go test -race work

servers:
	$(AMQP) $(REDIS) go test -race -count=1 work

# Starts RabbitMQ nodes and a Redis of its own, from Debian's packages. The soak breaks
# nothing of theirs and is one of `make test`.
faults:
	go test -tags faults -count=1 -skip Soak ./integration/faults
	go test -tags faults -count=1 -run Fault ./asynqtrace

# The production stack as processes, with a RabbitMQ and a Redis. The Collector and Jaeger
# are built where they are not there yet, which takes ten minutes. STACK='-skip Cluster'
# leaves out the RabbitMQ cluster, which takes half of the time.
stack:
	integration/stack/build.sh
	go test -tags stack -count=1 $(STACK) ./integration/stack

# Clients of other languages, protocols and versions, for docs/interop.md: needs Node.js 20
# with npm, a RabbitMQ and a Redis, and Debian's rabbitmq-server and python3-pika.
interop: interop-packages
	$(AMQP) $(REDIS) go test -tags interop -count=1 ./integration/interop ./integration/bullmq ./integration/asynq025

# The Node part of it that OpenTelemetry instruments: needs Node.js 20 with npm, a RabbitMQ
# and a Redis.
interop-node: interop-packages
	$(AMQP) $(REDIS) go test -tags interop -count=1 -run Node ./integration/interop ./integration/bullmq

# npm install, because npm ci refuses a lock file without other platforms' packages.
interop-packages:
	for d in interop bullmq; do (cd integration/$$d && npm install --no-save --no-audit --no-fund --silent) || exit 1; done

# The oldest Go, OpenTelemetry, amqp091-go and asynq that the README names, the newest, and
# what asynq will release next.
compat:
	integration/compat.sh

# Writes docs/peers.md and docs/peers.svg, in about ten minutes: needs a RabbitMQ and a
# Redis, and valgrind for the column of instructions.
.PHONY: peers
peers:
	cd integration/peers && GOWORK=off $(AMQP) $(REDIS) go run . -o ../../docs

# The page of mqtrace view, driven in /usr/bin/chromium, or where CHROMIUM says: needs
# Node.js 20 with npm.
browser: integration/browser/node_modules/.package-lock.json
	cd integration/browser && node view.test.js

# Takes the pictures of docs/view.md again.
screenshots: integration/browser/node_modules/.package-lock.json
	cd integration/browser && node screenshots.js

integration/browser/node_modules/.package-lock.json: integration/browser/package-lock.json
	cd integration/browser && npm ci --no-audit --no-fund --silent
	touch $@

# go test -fuzz takes one target of one package at a time.
fuzz:
	@set -e; for p in $$(go list work); do \
		for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
			echo "== $$p $$f"; go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$p; \
		done; \
	done

bench:
	go test -run '^$$' -bench . -benchtime $(BENCHTIME) -count $(BENCHCOUNT) ./carrier ./amqptrace ./asynqtrace \
		| go run ./integration/benchratio

# Every file of deploy, by the programs that read them as far as they are there.
config:
	deploy/check.sh

compose:
	$(COMPOSE) -format json $(FILES) | go run ./integration/composecheck

vuln:
	$(MODULES) each $(GOVULNCHECK) ./...

ci:
	.ci/run
