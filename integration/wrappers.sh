#!/usr/bin/env bash
# Tests the adapters of go-rabbitmq and machinery, examples/wrappers, with the real
# libraries, on the in-process broker and on the RabbitMQ that MQTRACE_AMQP_URL names.
#
#   integration/wrappers.sh
#
# The repository's own tests use stand-ins for the two. Here the adapters are copied to a
# module of their own, with the imports of the real libraries, as a user would copy them.
# Needs Go 1.26 and a module proxy that serves the libraries.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD module=github.com/mqtrace/mqtrace
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cp -r integration/testdata/wrappers/. "$work"
for adapter in gorabbitmq machinery; do
	sed -e "s#\"$module/examples/wrappers/gorabbitmq/rabbitmq\"#rabbitmq \"github.com/wagslane/go-rabbitmq\"#" \
		-e "s#\"$module/examples/wrappers/machinery/v2#\"github.com/RichardKnop/machinery/v2#" \
		"examples/wrappers/$adapter/$adapter.go" >"$work/$adapter/$adapter.go"
done

cd "$work"
export GOWORK=off GOFLAGS=-mod=mod
go mod init example.com/wrappers 2>/dev/null
go mod edit -replace="$module=$root" -replace="$module/amqptrace=$root/amqptrace" \
	-require="$module@v0.0.0" -require="$module/amqptrace@v0.0.0" \
	-require=github.com/wagslane/go-rabbitmq@v0.16.1 -require=github.com/RichardKnop/machinery/v2@v2.0.16
go vet ./...
go test -count=1 "$@" ./...
