#!/usr/bin/env bash
# Releases all modules in one version.
#
#   integration/release.sh v0.1.0        prints what it would do
#   integration/release.sh -do v0.1.0    does it, and prints the command that publishes it
#
# The modules require each other in the version that is being released, so their tags have
# to appear at the same time. Within the workspace, the replace directives of go.work
# resolve them, before and after the release.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly module=github.com/mqtrace/mqtrace scope=internal/messaging/scope.go

fail() {
	echo "release.sh: $*" >&2
	exit 1
}

edited() { # FILE
	sed -E -e "s#^([[:space:]]*((require|replace) )?$module(/[^ ]+)?) v[^ ]+#\1 $version#" \
		-e "s#^(const Version = ).*#\1\"${version#v}\"#" "$1"
}

execute=false
if [[ ${1-} == -do ]]; then
	execute=true
	shift
fi
[[ $# == 1 ]] || fail 'usage: integration/release.sh [-do] VERSION'
readonly version=$1 execute
# Semantic Versioning without build metadata, which tags of Go modules cannot have.
readonly number='(0|[1-9][0-9]*)' word='(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)'
[[ $version =~ ^v$number\.$number\.$number(-$word(\.$word)*)?$ ]] || fail "$version is not a semantic version like v0.1.0"
[[ $version == v[01].* ]] || fail "$version needs another module path, $module/${version%%.*}"

files=(go.work "$scope")
tags=()
while read -r dir; do
	files+=("$dir/go.mod")
	case $dir in
	.) tags+=("$version") ;;
	integration/* | examples/*) ;; # is run in a clone, or copied
	*) tags+=("$dir/$version") ;;
	esac
done < <(integration/modules.sh list)
for tag in "${tags[@]}"; do
	! git rev-parse -q --verify "refs/tags/$tag" >/dev/null || fail "the tag $tag exists"
done

if ! $execute; then
	for file in "${files[@]}"; do
		diff -U0 --label "$file" --label "$file, $version" "$file" <(edited "$file") || true
	done
	printf '\ngit commit -m "Release %s"\n' "$version"
	printf 'git tag %s\n' "${tags[@]}"
	printf '\nNothing is changed: integration/release.sh -do %s does this.\n' "$version"
	exit
fi

[[ -z $(git status --porcelain) ]] || fail 'the tree has changes that are not committed'
for file in "${files[@]}"; do
	text=$(edited "$file")
	printf '%s\n' "$text" >"$file"
done
git commit -qam "Release $version"
for tag in "${tags[@]}"; do
	git tag -a -m "$tag" "$tag"
done
git show --stat --oneline
echo "git push --atomic origin HEAD ${tags[*]}"
