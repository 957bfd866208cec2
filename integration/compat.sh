#!/usr/bin/env bash
# The tests of carrier, amqptrace and asynqtrace with the oldest OpenTelemetry, amqp091-go
# and asynq that the README names, and with the newest that there are. Leaves go.mod alone.
#
#   integration/compat.sh [oldest|newest]    both, where neither is named
set -euo pipefail
cd "$(dirname "$0")/.."

readonly otel=go.opentelemetry.io/otel amqp=github.com/rabbitmq/amqp091-go asynq=github.com/hibiken/asynq
readonly packages=(./carrier ./amqptrace ./asynqtrace)

work=$(mktemp -d)
readonly work
trap 'rm -rf "$work"' EXIT

fail() {
	echo "compat.sh: $*" >&2
	exit 1
}

# named WORDS is the version that the README has behind the words.
named() {
	local version
	version=$(sed -n "/^## State/,\$s/.*$1 \([0-9]*\.[0-9]*\).*/\1/p" README.md | head -n 1)
	[[ -n $version ]] || fail "the README names no version of $1"
	echo "v$version.0"
}

# try NAME OTEL AMQP ASYNQ
try() {
	local dir flag wanted=("$otel@$2" "$otel/sdk@$2" "$otel/sdk/metric@$2" "$amqp@$3" "$asynq@$4") m
	dir=$work/$1
	mkdir "$dir"
	cp go.mod go.sum "$dir"
	flag=-modfile=$dir/go.mod
	go get "$flag" "${wanted[@]}"
	for m in "${wanted[@]}"; do
		[[ ${m#*@} == latest || $(go list "$flag" -m "${m%@*}") == "${m/@/ }" ]] ||
			fail "$1: go.mod needs more than ${m/@/ }, which the README names"
	done
	echo "$1: $(go list "$flag" -m "$otel" "$amqp" "$asynq" | paste -sd ,)"
	go test "$flag" "${packages[@]}"
}

[[ ${1:-} =~ ^(oldest|newest)?$ ]] || fail "usage: integration/compat.sh [oldest|newest]"
[[ ${1:-oldest} != oldest ]] || try oldest "$(named OpenTelemetry)" "$(named amqp091-go)" "$(named asynq)"
[[ ${1:-newest} != newest ]] || try newest latest latest latest
