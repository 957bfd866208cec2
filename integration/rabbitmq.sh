#!/usr/bin/env bash
# Private RabbitMQ nodes, for tests that kill them. They listen on loopback only and are
# independent of a RabbitMQ that the machine runs. Needs Debian's rabbitmq-server and no
# privileges.
#
#   integration/rabbitmq.sh start NAME PORT    start a node, with its data if it ran before
#   integration/rabbitmq.sh cluster PORT       nodes n1, n2, n3 on PORT, PORT+1, PORT+2
#   integration/rabbitmq.sh stop NAME          let it shut down
#   integration/rabbitmq.sh freeze NAME        kill -STOP, until kill9: it takes bytes and answers nothing
#   integration/rabbitmq.sh kill9 NAME         kill -9
#   integration/rabbitmq.sh ctl NAME ARGS...   rabbitmqctl on that node
#   integration/rabbitmq.sh clean              kill what is left and delete all data
#
# MQTRACE_RABBITMQ_DIR is the nodes' directory, by default one in TMPDIR, MQTRACE_EPMD_PORT
# is the port of their epmd, and MQTRACE_RABBITMQ_PLUGINS is a comma-separated list of the
# plugins of a node that starts. A node on PORT talks to others on PORT+10.
# MQTRACE_RABBITMQ_BIN is where the programs are, for instance those of a newer release
# (integration/servers.sh). MQTRACE_RABBITMQ_CONF is a rabbitmq.conf of which the nodes of a
# cluster get a copy.
set -euo pipefail

readonly base=${MQTRACE_RABBITMQ_DIR:-${TMPDIR:-/tmp}/mqtrace-rabbitmq-$(id -u)}
# The scripts in PATH switch to the user rabbitmq; these run as the calling user.
readonly programs=${MQTRACE_RABBITMQ_BIN:-/usr/lib/rabbitmq/bin}
epmd=epmd
[[ ! -x $programs/epmd ]] || epmd=$programs/epmd
readonly epmd
readonly patience=90 # seconds

fail() {
	echo "rabbitmq.sh: $*" >&2
	exit 1
}

open_port() { { : <>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null; }
closed_port() { ! open_port "$1"; }

# within SECONDS COMMAND... repeats the command until it succeeds.
within() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		((SECONDS < deadline)) || return 1
		sleep 0.1
	done
}

# alive PID PIDFILE reports whether the process exists and was started here, because process
# ids are reused: it has the file's name in its environment.
alive() { [[ -n $1 ]] && grep -qszxF "MQTRACE_PID_FILE=$2" "/proc/$1/environ"; }
dead() { ! alive "$@"; }
running() { alive "$(pid "$1")" "$1"; }
pid() { tr -dc 0-9 2>/dev/null <"$1" || true; }

# end SIGNAL PIDFILE
end() {
	local p
	[[ -e $2 ]] || return 0
	p=$(pid "$2") # a node that shuts down deletes the file
	alive "$p" "$2" || return 0
	kill "-$1" "$p" 2>/dev/null || true
	within "$patience" dead "$p" "$2" || fail "process $p does not end"
}

# environment NAME sets the environment of the node's programs.
environment() {
	[[ $1 =~ ^[a-z][a-z0-9]*$ ]] || fail "bad name: $1"
	node=$base/$1
	export HOME=$base
	export ERL_EPMD_ADDRESS=127.0.0.1 ERL_EPMD_PORT=${MQTRACE_EPMD_PORT:-14369}
	export RABBITMQ_NODENAME=$1@localhost
	export RABBITMQ_CONF_ENV_FILE=$node/none.conf RABBITMQ_CONFIG_FILE=$node/rabbitmq.conf
	export RABBITMQ_MNESIA_BASE=$node/data RABBITMQ_LOG_BASE=$node/log RABBITMQ_PID_FILE=$node/pid
	export RABBITMQ_GENERATED_CONFIG_DIR=$node/config RABBITMQ_FEATURE_FLAGS_FILE=$node/flags
	export RABBITMQ_ENABLED_PLUGINS_FILE=$node/plugins
	mkdir -p "$node/log"
}

cookie() {
	[[ -x $programs/rabbitmq-server ]] || fail "no $programs/rabbitmq-server: apt-get install rabbitmq-server"
	mkdir -p "$base"
	if [[ ! -e $base/.erlang.cookie ]]; then
		(umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$base/.erlang.cookie")
	fi
	# A node would start an epmd that nothing stops.
	if ! running "$base/epmd.pid"; then
		open_port "$ERL_EPMD_PORT" && fail "port $ERL_EPMD_PORT is in use: set MQTRACE_EPMD_PORT"
		MQTRACE_PID_FILE=$base/epmd.pid setsid "$epmd" -address 127.0.0.1 -port "$ERL_EPMD_PORT" </dev/null >/dev/null 2>&1 &
		echo $! >"$base/epmd.pid"
		within 5 open_port "$ERL_EPMD_PORT" || fail 'epmd does not start'
	fi
}

launch() { # NAME PORT
	environment "$1"
	running "$node/pid" && fail "$1 is running"
	# The port of a killed process becomes free only a moment later.
	within 5 closed_port "$2" || fail "port $2 is in use"
	rm -f "$node/pid"
	touch "$node/rabbitmq.conf"
	echo "[${MQTRACE_RABBITMQ_PLUGINS:-}]." >"$node/plugins"
	RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 RABBITMQ_NODE_PORT=$2 RABBITMQ_DIST_PORT=$(($2 + 10)) \
		RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}' \
		MQTRACE_PID_FILE=$node/pid setsid "$programs/rabbitmq-server" </dev/null >"$node/log/output" 2>&1 &
}

await() { # NAME PORT
	within "$patience" open_port "$2" || {
		tail -n 20 "$base/$1/log/output" >&2
		fail "$1 does not start"
	}
	echo "amqp://guest:guest@127.0.0.1:$2/"
}

start() {
	environment "$1"
	cookie
	launch "$1" "$2"
	await "$1" "$2"
}

cluster() {
	local i members=(n1 n2 n3)
	environment n1
	cookie
	for i in 0 1 2; do
		environment "${members[i]}"
		cat "${MQTRACE_RABBITMQ_CONF:-/dev/null}" >"$node/rabbitmq.conf"
		printf '%s\n' 'cluster_formation.peer_discovery_backend = classic_config' \
			'cluster_formation.classic_config.nodes.1 = n1@localhost' \
			'cluster_formation.classic_config.nodes.2 = n2@localhost' \
			'cluster_formation.classic_config.nodes.3 = n3@localhost' >>"$node/rabbitmq.conf"
		launch "${members[i]}" $(($1 + i))
	done
	for i in 0 1 2; do await "${members[i]}" $(($1 + i)); done
	environment n1
	"$programs/rabbitmqctl" -q await_online_nodes 3 --timeout "$patience"
}

clean() {
	local d
	for d in "$base"/*/; do
		end KILL "${d}pid"
	done
	end TERM "$base/epmd.pid"
	rm -rf "$base"
}

command=${1:-}
shift || true
case $command:$# in
start:2) start "$@" ;;
cluster:1) cluster "$@" ;;
stop:1) environment "$1" && end TERM "$node/pid" ;;
freeze:1) environment "$1" && running "$node/pid" && kill -STOP "$(pid "$node/pid")" ;;
kill9:1) environment "$1" && end KILL "$node/pid" ;;
ctl:[1-9]*) environment "$1" && shift && exec "$programs/rabbitmqctl" "$@" ;;
clean:0) clean ;;
*)
	sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2
	exit 2
	;;
esac
