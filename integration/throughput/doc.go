// Package throughput holds benchmarks of publishing and consuming at full speed, on
// the RabbitMQ that MQTRACE_AMQP_URL names, else on the in-process broker: amqp091-go
// by itself (floor) and with amqptrace, every message sampled and each span handed to
// an exporter by a batch processor.
//
// One run after the other is fairer than -count, which repeats the one and then the
// other:
//
//	for i in 1 2 3 4 5; do
//		go test -run '^$' -bench . -benchtime 40000x ./integration/throughput
//	done | go run ./integration/benchratio
package throughput
