#!/usr/bin/env bash
# Checks docker-compose.yaml and every file of deploy: each with the program that reads it
# if that is installed, otherwise with its parser or against its documented keys. Lists at
# the end what it could not run. Needs Go, and checks more if RabbitMQ, Redis, Prometheus,
# docker and the programs of integration/stack/build.sh are installed.
#
#   deploy/check.sh             all of it
#   deploy/check.sh rabbitmq    compose, collector, parsers, prometheus, rabbitmq, redis: those named
#
# RabbitMQ is taken from MQTRACE_RABBITMQ_BIN, and the others from PATH. What
# integration/servers.sh has built is preferred: its versions are closer to those of
# docker-compose.yaml.
set -euo pipefail
cd "$(dirname "$0")/.."

readonly stack=${MQTRACE_STACK_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/mqtrace-stack}
# Not in TMPDIR: the programs of integration/servers.sh see only /tmp.
work=$(mktemp -d /tmp/mqtrace-check-XXXXXX)
not_run=()

if integration/servers.sh exec current /usr/bin/promtool --version >/dev/null 2>&1; then
	current=$(integration/servers.sh build current)
	export PATH=$current:$PATH MQTRACE_RABBITMQ_BIN=${MQTRACE_RABBITMQ_BIN:-$current}
fi

export MQTRACE_RABBITMQ_DIR=$work/rabbitmq
redis_pid=

finish() {
	[[ -z $redis_pid ]] || { kill "$redis_pid" && wait "$redis_pid"; } 2>/dev/null || true
	[[ ! -d $MQTRACE_RABBITMQ_DIR ]] || integration/rabbitmq.sh clean || true
	rm -rf "$work"
}
trap finish EXIT

ok() { printf 'ok  %s: %s\n' "$1" "$2"; }
fail() {
	printf 'deploy/check.sh: %s\n' "$*" >&2
	exit 1
}
skip() { not_run+=("$1"); }
# Only programs count: functions here have the same names.
has() { type -P "$1" >/dev/null; }

# The small stack, and the full one with the settings of deploy/full.env.
compose() {
	make -s compose
	(
		set -a
		. deploy/full.env
		make -s compose
	)
	COMPOSE_PROFILES=full make -s compose FILES='docker-compose.yaml deploy/scale/compose.yaml'
	if has docker && docker compose version >/dev/null 2>&1; then
		docker compose --env-file deploy/full.env config --quiet
		docker compose --env-file deploy/full.env -f docker-compose.yaml -f deploy/scale/compose.yaml config --quiet
		ok docker-compose.yaml 'docker compose config'
	else
		skip 'docker compose and the images: compose-go has read docker-compose.yaml, but nothing has checked deploy/probed.Dockerfile'
	fi
}

collector() {
	if [[ ! -x $stack/otelcol ]]; then
		skip "the Collector on deploy/collector: integration/stack/build.sh builds it into $stack"
		return
	fi
	"$stack/otelcol" validate --config deploy/collector/config.yaml
	ok deploy/collector/config.yaml 'otelcol validate'
	"$stack/otelcol" validate --config deploy/collector/config.yaml --config deploy/collector/rename.yaml
	ok deploy/collector/rename.yaml 'otelcol validate'
	"$stack/otelcol" validate --config deploy/scale/gateway.yaml
	ok deploy/scale/gateway.yaml 'otelcol validate'
	if grep -q 'name: service_\?graph' <<<"$("$stack/otelcol" components)"; then
		"$stack/otelcol" validate --config deploy/collector/config.yaml --config deploy/collector/service-graph.yaml
		ok deploy/collector/service-graph.yaml 'otelcol validate'
	else
		skip 'the Collector on deploy/collector/service-graph.yaml: only otelcol-contrib has the connector'
	fi
}

# With Prometheus's parsers and documented keys, in a module of its own.
parsers() {
	local out
	out=$(cd integration/configcheck && GOWORK=off go test -count=1 . 2>&1) || fail "$out"
	(cd integration/configcheck && GOWORK=off go run . ../../deploy)
	skip 'Tempo, Loki and Grafana on their files'
}

prometheus() {
	if ! has promtool; then
		skip 'promtool on deploy/prometheus and on the queries'
		return
	fi
	local version file query queries=0
	version=$(promtool --version 2>&1 | sed -n 's/^promtool, version \([0-9.]*\).*/promtool \1/p')
	cp -r deploy/prometheus "$work/prometheus"
	for file in deploy/prometheus/prometheus.yml deploy/scale/prometheus.yml; do
		# The rules have another path in the container.
		sed "s|/etc/prometheus/rules/\*|$work/prometheus/alerts|" "$file" >"$work/prometheus/checked.yml"
		grep -q "$work" "$work/prometheus/checked.yml" || fail "$file has other rules"
		promtool check config "$work/prometheus/checked.yml" >"$work/out" 2>&1 || fail "$file: $(<"$work/out")"
		ok "$file" "$version check config"
	done
	promtool check rules "$work/prometheus/alerts.yml" >"$work/out" 2>&1 || fail "$(<"$work/out")"
	promtool test rules "$work/prometheus/alerts_test.yml" >"$work/out" 2>&1 || fail "$(<"$work/out")"
	ok deploy/prometheus/alerts.yml "$version check rules, and test rules on alerts_test.yml"
	(cd integration/configcheck && GOWORK=off go run . queries ../../deploy) >"$work/queries"
	while read -r query; do
		promtool --experimental promql format "$query" >"$work/out" 2>&1 </dev/null || fail "$query: $(<"$work/out")"
		queries=$((queries + 1))
	done <"$work/queries"
	((queries > 0)) || fail 'there are no queries'
	ok deploy/grafana/dashboards/messaging.json "$version parses its queries and those of the alerts, $queries in all"
	skip 'Prometheus on metrics: in make stack, it scrapes the Collector and RabbitMQ, receives OTLP and answers these queries'
}

taken() { { : <>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null; }

# free_ports sets port so that the ports of two nodes, of their inter-node traffic
# (integration/rabbitmq.sh: PORT+10) and of their epmd are free. Concurrent runs start the
# search at different ports, because their process ids differ, and all search below the
# ephemeral ports.
free_ports() {
	local block p
	for block in $(seq $$ $(($$ + 374))); do
		port=$((20000 + block % 375 * 32))
		for p in 0 1 10 11 20; do
			if taken $((port + p)); then continue 2; fi
		done
		export MQTRACE_EPMD_PORT=$((port + 20))
		return
	done
	fail 'no free ports from 20000 to 32000'
}

# A node is started with the file and asked for the values that it read.
rabbitmq() {
	if [[ ! -x ${MQTRACE_RABBITMQ_BIN:-/usr/lib/rabbitmq/bin}/rabbitmq-server ]]; then
		skip 'RabbitMQ on deploy/rabbitmq and deploy/scale'
		return
	fi
	free_ports
	node check deploy/rabbitmq/20-mqtrace.conf consumer_timeout
	node scale deploy/scale/rabbitmq.conf queue_leader_locator
	cp deploy/scale/definitions.json "$work/definitions.json"
	integration/rabbitmq.sh ctl scale -q import_definitions "$work/definitions.json" >/dev/null
	ok deploy/scale/definitions.json 'imported by that node'
	skip 'RabbitMQ on deploy/scale/cluster.conf: make stack starts the cluster'
}

# node NAME FILE KEY starts a node and asks it for the value of a key of the file.
node() {
	local want got version
	want=$(sed -n "s/^$3 = //p" "$2")
	mkdir -p "$MQTRACE_RABBITMQ_DIR/$1"
	cp "$2" "$MQTRACE_RABBITMQ_DIR/$1/rabbitmq.conf"
	integration/rabbitmq.sh start "$1" "$port" >/dev/null
	got=$(integration/rabbitmq.sh ctl "$1" -q eval "{ok, Value} = application:get_env(rabbit, $3), io:format(\"~s\", [rabbit_data_coercion:to_binary(Value)]).")
	[[ -n $want && ${got%ok} == "$want" ]] || fail "RabbitMQ reads $3 of $2 as ${got%ok}, not $want"
	if grep -rhi 'is deprecated' "$MQTRACE_RABBITMQ_DIR/$1/log"; then fail "RabbitMQ says that something in $2 is deprecated"; fi
	version=$(integration/rabbitmq.sh ctl "$1" -q eval 'io:format("~s", [rabbit_misc:version()]).')
	ok "$2" "a node of RabbitMQ ${version%ok} started with it"
	port=$((port + 1))
}

# The flags of the redis service, and the file of deploy/scale.
redis() {
	if ! has redis-server; then
		skip 'Redis with the flags of docker-compose.yaml'
		return
	fi
	local line flags
	line=$(sed -n 's/^ *command: \[redis-server, \(.*\)\]$/\1/p' docker-compose.yaml | tr -d '",')
	[[ -n $line ]] || fail 'docker-compose.yaml has no command of redis-server'
	read -ra flags <<<"$line"
	server 'docker-compose.yaml, redis' "${flags[@]}"
	cp deploy/scale/redis.conf "$work/redis.conf"
	server deploy/scale/redis.conf "$work/redis.conf"
	skip 'Redis on deploy/scale/sentinel.conf: make stack tests a failover'
}

# server WHAT ARGS... starts a Redis with the arguments, on a socket instead of a port, and
# asks it for its eviction policy.
server() {
	local socket=$work/redis.sock version
	redis-server "${@:2}" --port 0 --unixsocket "$socket" --dir "$work" --save '' >"$work/redis.log" 2>&1 &
	redis_pid=$!
	for _ in $(seq 100); do
		[[ $(redis-cli -s "$socket" ping 2>/dev/null) != PONG ]] || break
		sleep 0.05
	done
	[[ $(redis-cli -s "$socket" config get maxmemory-policy | tail -n 1) == noeviction ]] ||
		fail "Redis does not start with $1: $(tail -n 3 "$work/redis.log")"
	version=$(redis-cli -s "$socket" info server | sed -n 's/^redis_version:\([0-9.]*\).*/\1/p')
	ok "$1" "a Redis $version started with it"
	kill "$redis_pid" && wait "$redis_pid" || true
	redis_pid=
}

(($#)) || set -- compose collector parsers prometheus rabbitmq redis
for check; do
	[[ $check =~ ^(compose|collector|parsers|prometheus|rabbitmq|redis)$ ]] || fail "there is no check $check"
	"$check"
done
for what in "${not_run[@]}"; do printf 'NOT RUN: %s\n' "$what"; done
