#!/usr/bin/env bash
# The tests of the root module, amqptrace, asynqtrace and cmd as in a user's build: in a
# copy outside the repository, without the workspace.
#
#   integration/compat.sh oldest    with the Go, OpenTelemetry, amqp091-go and asynq that
#                                   the README names
#   integration/compat.sh newest    with the newest of each, and this machine's Go
#   integration/compat.sh next      asynqtrace with what asynq will release next: its branch
#                                   master, or the checkout that ASYNQ names
#   integration/compat.sh           all three
set -euo pipefail
[[ -z ${ASYNQ-} ]] || ASYNQ=$(cd "$ASYNQ" && pwd)
cd "$(dirname "$0")/.."

readonly otel=go.opentelemetry.io/otel amqp=github.com/rabbitmq/amqp091-go asynq=github.com/hibiken/asynq
readonly hosts="^($otel|$otel/metric|$otel/trace|$otel/sdk|$otel/sdk/metric|$amqp|$asynq) "
readonly tested=(. amqptrace asynqtrace cmd)

work=$(mktemp -d)
readonly work
trap 'rm -rf "$work"' EXIT
export GOWORK=off

fail() {
	echo "compat.sh: $*" >&2
	exit 1
}

# named WORDS prints the version that follows the words in the README.
named() {
	local version
	version=$(sed -n '/^## Status/,$p' README.md | tr '\n' ' ' | sed -n "s/.*$1 \([0-9]*\.[0-9]*\).*/\1/p")
	[[ -n $version ]] || fail "the README names no version of $1"
	echo "$version.0"
}

# outside NAME makes a copy in $work/NAME, in which the modules find each other by replace
# directives, because they may not be released yet.
outside() {
	local dir
	mkdir "$work/$1"
	comm -23 <(git ls-files --cached --others --exclude-standard | sort) <(git ls-files --deleted | sort) |
		tar -cf - -T - | tar -xf - -C "$work/$1"
	for dir in "${tested[@]}"; do
		"$work/$1/integration/modules.sh" modfile "$dir" "$work/$1/$dir/go.mod"
	done
	rm "$work/$1"/go.work*
}

# versions NAME DIR lists what a module is tested with.
versions() {
	(cd "$work/$1/$2" && go list -m -f '{{.Path}} {{with .Replace}}{{.}}{{else}}{{.Version}}{{end}}' all) | grep -E "$hosts"
}

run() { # NAME DIR
	local listed
	listed=$(versions "$1" "$2")
	echo "== $1, $2: $(go env GOVERSION), $(grep -E "^($otel|$amqp|$asynq) " <<<"$listed" | paste -sd , | sed 's/,/, /g')"
	(cd "$work/$1/$2" && go test ./...)
}

oldest() {
	local dir listed path version
	local -A want=([$otel]=v$(named OpenTelemetry) [$amqp]=v$(named amqp091-go) [$asynq]=v$(named asynq))
	GOTOOLCHAIN=go$(named Go)
	export GOTOOLCHAIN
	outside oldest
	for dir in "${tested[@]}"; do
		listed=$(versions oldest "$dir")
		while read -r path version; do
			[[ $path != "$otel"/* ]] || path=$otel
			[[ $version == "${want[$path]}" ]] ||
				fail "$dir/go.mod has $path $version, the README names ${want[$path]}"
		done <<<"$listed"
		run oldest "$dir"
	done
}

newest() {
	local dir
	outside newest
	for dir in "${tested[@]}"; do
		cd "$work/newest/$dir"
		# The direct requirements of go.mod.
		sed -nE "s#^\t($otel[^ ]*|$amqp|$asynq) v[^ ]*\$#\1@latest#p" go.mod | xargs go get
		go mod tidy
		run newest "$dir"
	done
}

next() {
	local problem
	outside next
	cd "$work/next/asynqtrace"
	if [[ -n ${ASYNQ-} ]]; then
		go mod edit -replace="$asynq=$ASYNQ"
	elif problem=$(go list -m "$asynq@master" 2>&1); then
		go get "$asynq@master"
	else
		printf '== next: NOT RUN, the module proxy does not serve the branch and ASYNQ names no checkout:\n%s\n' "$problem"
		return
	fi
	go mod tidy
	run next asynqtrace
}

case ${1-} in
oldest | newest | next) "$1" ;;
'') for name in oldest newest next; do integration/compat.sh "$name"; done ;;
*) fail "usage: integration/compat.sh [oldest|newest|next]" ;;
esac
