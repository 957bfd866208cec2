#!/usr/bin/env bash
# The servers that users run today, for machines whose own packages are older: RabbitMQ,
# Redis and Prometheus from newer Debian releases. Each release has a directory of its own,
# and the machine's packages stay as they are. Needs root, debootstrap and the mirror that
# apt uses.
#
#   integration/servers.sh build RELEASE    make the directory (about 650 MB, 1 to 4 minutes) if
#                                           it is missing, and print where its programs are
#   integration/servers.sh versions RELEASE print what is in it
#   integration/servers.sh exec RELEASE PROGRAM ARGS...
#
# RELEASE is current (RabbitMQ 4.3, Redis 8.0, Prometheus 3.5) or previous (RabbitMQ 4.0,
# Redis 8.0). The directory that build prints is for PATH and for MQTRACE_RABBITMQ_BIN of
# integration/rabbitmq.sh. Programs run with the directory as their root, with the machine's
# /tmp, /proc and /dev, so that paths under /tmp mean the same to both.
#
# MQTRACE_SERVERS_DIR contains the directories, by default /var/cache/mqtrace.
set -euo pipefail

readonly base=${MQTRACE_SERVERS_DIR:-/var/cache/mqtrace}
script=$(readlink -f "$0")
readonly script

fail() {
	echo "servers.sh: $*" >&2
	exit 1
}

usage() {
	sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
	exit 2
}

suite() {
	case ${1-} in
	current) echo forky ;;
	previous) echo trixie ;;
	*) usage ;;
	esac
}

build() { # RELEASE
	local name mirror packages=rabbitmq-server,redis-server
	name=$(suite "$1")
	if [[ ! -e $base/$name/.complete ]]; then
		[[ $(id -u) == 0 ]] || fail 'only root can make the folder'
		command -v debootstrap >/dev/null || { apt-get update -q && apt-get install -qy debootstrap; } >/dev/null
		mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | sort -u | grep -v security | head -n 1)
		[[ -n $mirror ]] || fail 'apt has no mirror'
		[[ $1 == previous ]] || packages+=,prometheus
		rm -rf "${base:?}/$name"
		mkdir -p "$base/$name"
		# A release that this machine's debootstrap does not know is built like sid.
		debootstrap --variant=minbase --include="$packages" "$name" "$base/$name" "$mirror" \
			/usr/share/debootstrap/scripts/sid >"$base/$name.log" 2>&1 ||
			fail "debootstrap: $(tail -n 5 "$base/$name.log")"
		cp /etc/hosts "$base/$name/etc/hosts"
		rm -f "$base/$name"/var/cache/apt/archives/*.deb
		touch "$base/$name/.complete"
	fi
	wrappers "$1" "$base/$name.bin"
	echo "$base/$name.bin"
}

# wrappers makes a directory with a script for each program.
wrappers() { # RELEASE DIR
	local path name
	mkdir -p "$2"
	for path in /usr/bin/{epmd,redis-server,redis-cli,redis-sentinel,prometheus,promtool} \
		/usr/lib/rabbitmq/bin/rabbitmq{-server,ctl,-plugins,-queues,-diagnostics}; do
		name=$(basename "$path")
		printf '#!/bin/sh\nexec %s exec %s %s "$@"\n' "$script" "$1" "$path" >"$2/$name.new"
		chmod +x "$2/$name.new"
		mv "$2/$name.new" "$2/$name"
	done
}

# run replaces this process, so that the caller has the program's process id. The mounts are
# visible to that process and its children only.
run() { # RELEASE PROGRAM ARGS...
	local root
	root=$base/$(suite "$1")
	shift
	exec unshare --mount sh -c '
		for d in proc dev tmp; do mount --rbind "/$d" "$0/$d" || exit 1; done
		exec chroot "$0" /usr/bin/env LANG=C.UTF-8 "$@"' "$root" "$@"
}

versions() { # RELEASE
	local root
	root=$base/$(suite "$1")
	dpkg-query --admindir="$root/var/lib/dpkg" -W -f '${Package} ${Version}\n' 'rabbitmq-server' 'redis-server' 'prometheus' 2>/dev/null || true
}

case ${1-}:$# in
build:2) build "$2" ;;
versions:2) build "$2" >/dev/null && versions "$2" ;;
exec:*) (($# >= 3)) || usage && run "${@:2}" ;;
*) usage ;;
esac
