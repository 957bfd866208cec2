// Package throughput holds benchmarks of publishing and consuming at full speed, on
// the RabbitMQ that MQTRACE_AMQP_URL names, else on the in-process broker: amqp091-go
// by itself (the floor) and in turns with amqptrace, or with spans written by hand,
// every message sampled and each span handed to an exporter by a batch processor.
//
//	go test -run '^$' -bench . -benchtime 40x ./integration/throughput |
//		go run ./integration/benchratio
package throughput
