#!/usr/bin/env bash
# Runs what has to be done for each module of the repository separately.
#
#   integration/modules.sh list            their directories, those of go.work first
#   integration/modules.sh tidy [-diff]    go mod tidy, or only what it would change
#   integration/modules.sh each COMMAND    runs a command in each module of go.work
#   integration/modules.sh modfile DIR F   copies DIR/go.mod to F and DIR/go.sum beside it,
#                                          for -modfile, with replace lines for siblings
#
# Outside the workspace the go command would look up siblings that are not released yet on
# the network, so go mod tidy works on such a copy. The committed go.mod has no replace
# directives, because go install refuses a module that has any.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly root=$PWD module=github.com/mqtrace/mqtrace

# inside and outside list directories: . is the root.
inside() { go work edit -json go.work | sed -n 's/.*"DiskPath": "\(.*\)".*/\1/p' | sed 's#^\./##'; }
outside() {
	comm -13 <(inside | sort) \
		<(git ls-files --cached --others --exclude-standard -- go.mod '*/go.mod' | xargs -n1 dirname | sort)
}

# path DIR prints the module path of a directory.
path() { [[ $1 == . ]] && echo $module || echo "$module/$1"; }

modfile() { # DIR FILE
	local sibling
	if [[ ! $2 -ef $1/go.mod ]]; then
		cp "$1/go.mod" "$2"
		cp "$1/go.sum" "${2%.mod}.sum" 2>/dev/null || : >"${2%.mod}.sum"
	fi
	for sibling in $(inside); do
		[[ $sibling == "$1" ]] || go mod edit -replace="$(path "$sibling")=$root/$sibling" "$2"
	done
}

tidy() { # [-diff]
	local dir sibling work status=0
	work=$(mktemp -d)
	trap "rm -rf '$work'" EXIT
	for dir in $(inside); do
		modfile "$dir" "$work/go.mod"
		(cd "$dir" && GOWORK=off go mod tidy -modfile="$work/go.mod")
		for sibling in $(inside); do
			go mod edit -dropreplace="$(path "$sibling")" "$work/go.mod"
		done
		if [[ ${1-} == -diff ]]; then
			diff -u --label "$dir/go.mod" --label "$dir/go.mod, tidy" "$dir/go.mod" "$work/go.mod" || status=1
			diff -u --label "$dir/go.sum" --label "$dir/go.sum, tidy" "$dir/go.sum" "$work/go.sum" || status=1
		else
			cp "$work/go.mod" "$work/go.sum" "$dir/"
		fi
	done
	for dir in $(outside); do
		(cd "$dir" && GOWORK=off go mod tidy "$@") || status=1
	done
	return $status
}

# each continues after a failure, so that all failures are reported.
each() {
	local dir status=0
	for dir in $(inside); do
		(cd "$dir" && "$@") || {
			echo "in $(path "$dir"): $*" >&2
			status=1
		}
	done
	return $status
}

case ${1-} in
list) inside && outside ;;
tidy) tidy "${@:2}" ;;
each) each "${@:2}" ;;
modfile) modfile "$2" "$3" ;;
*)
	echo "usage: integration/modules.sh list | tidy [-diff] | each COMMAND | modfile DIR FILE" >&2
	exit 2
	;;
esac
