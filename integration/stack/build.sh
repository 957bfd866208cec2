#!/usr/bin/env bash
# Builds the Collector of builder.yaml and Jaeger from the Go module proxy, for machines
# without containers: about ten minutes on two cores, and nothing where they are there.
#
#   integration/stack/build.sh [OUTDIR]
#
# OUTDIR, by default MQTRACE_STACK_DIR or mqtrace-stack in the user's cache directory, gets otelcol and
# jaeger; its name is printed.
set -euo pipefail

readonly here=$(cd "$(dirname "$0")" && pwd)
readonly out=${1:-${MQTRACE_STACK_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/mqtrace-stack}}
readonly jaeger=v1.76.0 builder=v0.161.0

export CGO_ENABLED=0 GOFLAGS= GOWORK=off

# A binary is up to date where what it was built from lies beside it, unchanged.
collector() {
	cmp -s "$here/builder.yaml" "$out/builder.yaml" && [[ -x $out/otelcol ]] && return
	echo "building the Collector of builder.yaml" >&2
	go run "go.opentelemetry.io/collector/cmd/builder@$builder" --config "$here/builder.yaml"
	mv collector/otelcol "$out/otelcol"
	cp "$here/builder.yaml" "$out/builder.yaml"
}

# Jaeger's go.mod has a replace directive, so that go install will not have it; the
# module cache may be read-only, so that it is built from a copy.
jaeger() {
	[[ $(cat "$out/jaeger.version" 2>/dev/null) == "$jaeger" && -x $out/jaeger ]] && return
	echo "building Jaeger $jaeger" >&2
	local dir
	dir=$(go mod download -json "github.com/jaegertracing/jaeger@$jaeger" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
	cp -r "$dir" jaeger
	chmod -R u+w jaeger
	(cd jaeger && go build -mod=mod -ldflags='-s -w' -o "$out/jaeger" ./cmd/jaeger)
	echo "$jaeger" >"$out/jaeger.version"
}

mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
collector
jaeger
echo "$out"
