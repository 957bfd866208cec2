// Package faults tests amqptrace while things break: publishers that wait for confirmations
// and consumers that acknowledge go on, with amqp091-go's recovery, while their broker is
// killed, cut off or blocked, or refuses messages.
//
// Each test asserts that every confirmed message was processed at least once, that every
// span that was started has ended with the result that the program got, that no
// confirmation stays pending for good, and that no goroutines are left.
//
// Those on the in-process broker need nothing installed and are part of
//
//	go test ./...
//
// TestSoak looks at memory and goroutines while connections come and go, and is part of
// make load; its long form, on the broker that MQTRACE_AMQP_URL names or on the in-process
// one:
//
//	go test -tags load -v -timeout 3h -run TestSoak ./integration/faults -soak 10000000
//
// Those that kill a RabbitMQ start nodes of their own with integration/rabbitmq.sh.
// They need Debian's rabbitmq-server, fail without it, and take two minutes; the long
// form, whose figures are in docs/faults.md, takes six:
//
//	go test -tags faults -v ./integration/faults
//	go test -tags faults -v -timeout 30m ./integration/faults -long
package faults
