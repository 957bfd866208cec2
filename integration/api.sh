#!/usr/bin/env bash
# Compares the exported API of the importable packages with the last release, or with BASE.
#
#   integration/api.sh            with the latest tag vX.Y.Z; there may be none yet
#   integration/api.sh BASE       with a commit
#
# Prints every change. Incompatible ones make it fail if the base is v1 or later; before v1,
# they belong in a minor release and in the changelog.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly apidiff=golang.org/x/exp/cmd/apidiff@v0.0.0-20261113113407-e3970619a1a4
base=${1-$(git describe --tags --abbrev=0 --match 'v[0-9]*' 2>/dev/null || true)}
if [[ -z $base ]]; then
	echo 'nothing has been released yet: there is no API to compare with'
	exit
fi

work=$(mktemp -d)
finish() {
	git worktree remove --force "$work/base" 2>/dev/null || true
	rm -rf "$work"
}
trap finish EXIT
git worktree add -q --detach "$work/base" "$base"
GOBIN=$work go install "$apidiff"

incompatible=0
for package in carrier amqptrace amqptrace/amqptest asynqtrace asynqtrace/asynqredis adapters/watermilltrace; do
	path=github.com/mqtrace/mqtrace/$package
	[[ -d $work/base/$package ]] || continue
	in=.
	unset GOWORK
	if [[ $package == adapters/* ]]; then # a module that is not in go.work
		in=$package
		export GOWORK=off
	fi
	(cd "$work/base/$in" && "$work/apidiff" -w "$work/export" "$path")
	(cd "$in" && "$work/apidiff" "$work/export" "$path") >"$work/changes"
	if [[ -s $work/changes ]]; then
		printf '%s, since %s\n' "$path" "$base"
		sed 's/^/  /' "$work/changes"
		! grep -q '^Incompatible' "$work/changes" || incompatible=1
	fi
done
if ((incompatible)) && [[ $base != v0.* && $base == v[0-9]* ]]; then
	echo "the API is incompatible with $base" >&2
	exit 1
fi
