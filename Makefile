# The commands of CONTRIBUTING.md. Everything here needs Go alone, apart from
# `make servers`, `make faults` and `make ci`.

GOLANGCI_LINT = go run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
GOVULNCHECK   = go run golang.org/x/vuln/cmd/govulncheck@v1.8.0
COMPOSE       = go run github.com/compose-spec/compose-go/v2/cmd@v2.16.2
FUZZTIME     ?= 30s
BENCHTIME    ?= 1s
BENCHCOUNT   ?= 3

REDIS = MQTRACE_REDIS_ADDR=$${MQTRACE_REDIS_ADDR:-127.0.0.1:6379}

.PHONY: all vet lint test race servers faults interop browser fuzz bench compose vuln ci

all: vet lint test

vet:
	go vet ./...
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	go mod tidy -diff

lint:
	$(GOLANGCI_LINT) run ./...

test:
	go test ./...

race:
	go test -race ./...

servers:
	MQTRACE_AMQP_URL=$${MQTRACE_AMQP_URL:-amqp://guest:guest@127.0.0.1:5672/} $(REDIS) go test -race -count=1 ./...

# Starts RabbitMQ nodes and a Redis of its own, from Debian's packages.
faults:
	go test -tags faults -count=1 ./integration/faults
	go test -tags faults -count=1 -run Fault ./asynqtrace

# Clients of other languages and versions: needs Node.js 20 with npm, and a Redis.
interop:
	cd integration/bullmq && npm install --no-save --no-audit --no-fund --silent
	$(REDIS) go test -tags interop -count=1 ./integration/bullmq ./integration/asynq025

# The page of mqtrace view, driven in /usr/bin/chromium, or where CHROMIUM says: needs
# Node.js 20 with npm.
browser: integration/browser/node_modules/.package-lock.json
	cd integration/browser && node view.test.js

integration/browser/node_modules/.package-lock.json: integration/browser/package-lock.json
	cd integration/browser && npm ci --no-audit --no-fund --silent
	touch $@

# go test -fuzz takes one target of one package at a time.
fuzz:
	@set -e; for p in $$(go list ./...); do \
		for f in $$(go test -list '^Fuzz' $$p | grep '^Fuzz' || true); do \
			echo "== $$p $$f"; go test -run '^$$' -fuzz "^$$f\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$p; \
		done; \
	done

bench:
	go test -run '^$$' -bench . -benchtime $(BENCHTIME) -count $(BENCHCOUNT) ./carrier ./amqptrace ./asynqtrace \
		| go run ./integration/benchratio

compose:
	$(COMPOSE) -format json docker-compose.yaml | go run ./integration/composecheck

vuln:
	$(GOVULNCHECK) ./...

ci:
	.ci/run
