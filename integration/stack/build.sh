#!/usr/bin/env bash
# Builds the Collector of builder.yaml, Jaeger and Prometheus from the Go module proxy, for
# machines without containers. Takes about twelve minutes on two cores, and no time if they
# exist.
#
#   integration/stack/build.sh [OUTDIR]
#
# OUTDIR, by default MQTRACE_STACK_DIR or mqtrace-stack in the user's cache directory, gets otelcol,
# jaeger and prometheus; its name is printed.
set -euo pipefail

readonly here=$(cd "$(dirname "$0")" && pwd)
readonly out=${1:-${MQTRACE_STACK_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/mqtrace-stack}}
readonly jaeger=v1.76.0 builder=v0.161.0
# 3.13.5, as in docker-compose.yaml.
readonly prometheus=v0.313.5

export CGO_ENABLED=0 GOFLAGS= GOWORK=off

# A binary is up to date if an unchanged copy of what it was built from lies beside it.
collector() {
	cmp -s "$here/builder.yaml" "$out/builder.yaml" && [[ -x $out/otelcol ]] && return
	echo "building the Collector of builder.yaml" >&2
	go run "go.opentelemetry.io/collector/cmd/builder@$builder" --config "$here/builder.yaml"
	mv collector/otelcol "$out/otelcol"
	cp "$here/builder.yaml" "$out/builder.yaml"
}

# program NAME MODULE VERSION [FLAGS...] builds ./cmd/NAME of a module whose go.mod has
# replace directives, which go install refuses. It builds from a copy, because the module
# cache may be read-only.
program() {
	[[ $(cat "$out/$1.version" 2>/dev/null) == "$3" && -x $out/$1 ]] && return
	echo "building $1 $3" >&2
	local dir
	dir=$(go mod download -json "$2@$3" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
	cp -r "$dir" "$1"
	chmod -R u+w "$1"
	(cd "$1" && go build -mod=mod -ldflags='-s -w' "${@:4}" -o "$out/$1" "./cmd/$1")
	echo "$3" >"$out/$1.version"
}

mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
collector
program jaeger github.com/jaegertracing/jaeger "$jaeger"
# Only the service discovery mechanisms that deploy uses.
program prometheus github.com/prometheus/prometheus "$prometheus" -tags=remove_all_sd,enable_dns_sd \
	-ldflags="-s -w -X github.com/prometheus/common/version.Version=3.${prometheus#v0.3}"
echo "$out"
