#!/usr/bin/env bash
# Checks docker-compose.yaml and every file of deploy, each by the program that reads it
# where that program is there, by its parser or by its documented keys elsewhere, and
# says at the end by name what could not be run. Needs Go; with what it finds of
# RabbitMQ, Redis, promtool, docker and the programs of integration/stack/build.sh it
# checks more.
#
#   deploy/check.sh             all of it
#   deploy/check.sh rabbitmq    compose, collector, parsers, rabbitmq, redis: those named
set -euo pipefail
cd "$(dirname "$0")/.."

readonly stack=${MQTRACE_STACK_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/mqtrace-stack}
work=$(mktemp -d)
not_run=()

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
has() { command -v "$1" >/dev/null; }

# The small set and the full one, with what deploy/full.env sets.
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
		skip 'docker compose and the images: docker-compose.yaml was read by compose-go, deploy/probed.Dockerfile by nobody'
	fi
}

collector() {
	if [[ ! -x $stack/otelcol ]]; then
		skip "the Collector on deploy/collector: integration/stack/build.sh builds it into $stack"
		return
	fi
	"$stack/otelcol" validate --config deploy/collector/config.yaml
	ok deploy/collector/config.yaml 'otelcol validate'
	"$stack/otelcol" validate --config deploy/scale/gateway.yaml
	ok deploy/scale/gateway.yaml 'otelcol validate'
	if grep -q 'name: service_\?graph' <<<"$("$stack/otelcol" components)"; then
		"$stack/otelcol" validate --config deploy/collector/config.yaml --config deploy/collector/service-graph.yaml
		ok deploy/collector/service-graph.yaml 'otelcol validate'
	else
		skip 'the Collector on deploy/collector/service-graph.yaml: the connector is in otelcol-contrib alone'
	fi
}

# By Prometheus's parsers and documented keys, in a module of its own.
parsers() {
	local out
	out=$(cd integration/configcheck && GOWORK=off go test -count=1 . 2>&1) || fail "$out"
	(cd integration/configcheck && go run . ../../deploy)
	if has promtool; then
		promtool check rules deploy/prometheus/alerts.yml >/dev/null
		# The rules lie elsewhere in the container.
		sed "s|/etc/prometheus/rules|$PWD/deploy/prometheus|; s|/\*\.yml|/alerts.yml|" \
			deploy/prometheus/prometheus.yml >"$work/prometheus.yml"
		promtool check config "$work/prometheus.yml" >/dev/null
		ok deploy/prometheus 'promtool check'
	else
		skip 'promtool on deploy/prometheus/prometheus.yml'
	fi
	skip 'Tempo, Loki and Grafana on their files'
}

taken() { { : <>"/dev/tcp/127.0.0.1/$1"; } 2>/dev/null; }

# free_ports sets port so that nobody listens where two nodes, what they talk to others on
# (integration/rabbitmq.sh: PORT+10) and their epmd will. Runs at the same time begin to
# look in different places, since their process numbers differ, and all look below the
# ports that systems give to clients.
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

# A node with the file as its configuration says what it made of it.
rabbitmq() {
	if [[ ! -x ${MQTRACE_RABBITMQ_BIN:-/usr/lib/rabbitmq/bin}/rabbitmq-server ]]; then
		skip 'RabbitMQ on deploy/rabbitmq and deploy/scale'
		return
	fi
	free_ports
	node check deploy/rabbitmq/20-mqtrace.conf consumer_timeout
	node scale deploy/scale/rabbitmq.conf cluster_partition_handling
	integration/rabbitmq.sh ctl scale -q import_definitions "$PWD/deploy/scale/definitions.json" >/dev/null
	ok deploy/scale/definitions.json 'imported by that node'
	skip 'RabbitMQ on deploy/scale/cluster.conf: make stack starts the cluster'
}

# node NAME FILE KEY starts a node and asks it for the value that the file gives a key.
node() {
	local want got
	want=$(sed -n "s/^$3 = //p" "$2")
	mkdir -p "$MQTRACE_RABBITMQ_DIR/$1"
	cp "$2" "$MQTRACE_RABBITMQ_DIR/$1/rabbitmq.conf"
	integration/rabbitmq.sh start "$1" "$port" >/dev/null
	got=$(integration/rabbitmq.sh ctl "$1" -q eval "{ok, Value} = application:get_env(rabbit, $3), Value.")
	[[ -n $want && $got == "$want" ]] || fail "RabbitMQ reads $3 of $2 as $got, not $want"
	ok "$2" 'a RabbitMQ node started with it'
	port=$((port + 1))
}

# The flags of the service redis, on a socket instead of a port.
redis() {
	if ! has redis-server; then
		skip 'Redis with the flags of docker-compose.yaml'
		return
	fi
	local line flags
	line=$(sed -n 's/^ *command: \[redis-server, \(.*\)\]$/\1/p' docker-compose.yaml | tr -d '",')
	[[ -n $line ]] || fail 'docker-compose.yaml has no command of redis-server'
	read -ra flags <<<"$line"
	redis-server --port 0 --unixsocket "$work/redis.sock" --dir "$work" --save '' "${flags[@]}" >"$work/redis.log" 2>&1 &
	redis_pid=$!
	for _ in $(seq 100); do
		[[ $(redis-cli -s "$work/redis.sock" ping 2>/dev/null) != PONG ]] || break
		sleep 0.05
	done
	[[ $(redis-cli -s "$work/redis.sock" config get maxmemory-policy | tail -n 1) == noeviction ]] ||
		fail "Redis does not start with $line: $(tail -n 3 "$work/redis.log")"
	ok 'docker-compose.yaml, redis' 'a Redis started with its flags'
	skip 'Redis on deploy/scale/redis.conf and sentinel.conf: make stack has them fail over'
}

(($#)) || set -- compose collector parsers rabbitmq redis
for check; do
	[[ $check =~ ^(compose|collector|parsers|rabbitmq|redis)$ ]] || fail "there is no check $check"
	"$check"
done
for what in "${not_run[@]}"; do printf 'NOT RUN: %s\n' "$what"; done
