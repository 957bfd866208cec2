package interop_test

// traces is what survives of a trace between a client and amqptrace.
var traces = &table{
	columns: []string{"client or way", "direction", "traceparent", "tracestate", "baggage", "the receiver reads the header as"},
	key:     2,
	rows: [][]string{
		{"Node amqplib, OpenTelemetry, parent", "from Go", "parent", "yes", "yes", "string"},
		{"Node amqplib, OpenTelemetry, link", "from Go", "link", "yes", "lost", "string"},
		{"Node amqplib, OpenTelemetry", "to Go", "parent and link", "yes", "yes", "`S` string"},
		{"Node amqplib, OpenTelemetry", "to Go, `NewTrace`", "link", "yes", "yes", "`S` string"},
		{"Node amqplib, OpenTelemetry, confirm channel", "to Go", "parent and link", "yes", "yes", "`S` string"},
		{"Node amqplib, OpenTelemetry, confirm channel", "to Go, `NewTrace`", "link", "yes", "yes", "`S` string"},
		{"Python pika, by hand", "from Go", "yes", "yes", "yes", "str"},
		{"Python pika, by hand, `str`", "to Go", "parent and link", "yes", "yes", "`S` string"},
		{"Python pika, by hand, `bytes`", "to Go", "parent and link", "yes", "yes", "`x` bytes"},
		{"STOMP, Node stompit, by hand", "from Go", "yes", "yes", "yes", "string"},
		{"STOMP, Node stompit, by hand", "to Go", "parent and link", "yes", "yes", "`S` string"},
		{"AMQP 1.0, Node rhea, application properties", "from Go", "yes", "yes", "yes", "string"},
		{"AMQP 1.0, Node rhea, message annotations", "from Go", "lost", "lost", "lost", "–"},
		{"AMQP 1.0, Node rhea, application properties", "to Go", "parent and link", "yes", "yes", "`S` string"},
		{"AMQP 1.0, Node rhea, message annotations", "to Go", "parent and link", "yes", "yes", "`S` string"},
		{"MQTT 3.1.1, Node mqtt", "from Go", "lost", "lost", "lost", "–"},
		{"MQTT 3.1.1, Node mqtt", "to Go", "lost", "lost", "lost", "–"},
		{"MQTT 3.1.1, Node mqtt, `InjectText` in the body", "from Go", "yes", "yes", "yes", "–"},
		{"MQTT 3.1.1, Node mqtt, `InjectText` in the body", "to Go", "yes", "yes", "yes", "–"},
		{"MQTT 5, Node mqtt, user properties", "from Go", "yes", "yes", "yes", "string"},
		{"MQTT 5, Node mqtt, user properties", "to Go", "parent and link", "yes", "yes", "`S` string"},
		{"classic queue", "Go to Go", "parent and link", "yes", "yes", "`S` string"},
		{"quorum queue, first delivery", "Go to Go", "parent and link", "yes", "yes", "`S` string"},
		{"quorum queue, requeued", "Go to Go", "parent and link", "yes", "yes", "`S` string"},
		{"dead-lettered, expired", "Go to Go", "parent and link", "yes", "yes", "`S` string"},
		{"stream queue", "Go to Go", "parent and link", "yes", "yes", "`S` string"},
		{"stream queue, read again", "Go to Go", "parent and link", "yes", "yes", "`S` string"},
		{"shovel, AMQP 0-9-1", "Go to Go", "parent and link", "yes", "yes", "`S` string"},
		{"shovel, AMQP 0-9-1 to AMQP 1.0", "Go to Go", "parent and link", "yes", "yes", "`S` string"},
		{"shovel, AMQP 1.0 to AMQP 0-9-1", "Go to Go", "parent and link", "yes", "yes", "`S` string"},
	},
	older: [][]string{
		{"3.10", "AMQP 1.0, Node rhea, application properties", "from Go", "lost", "lost", "lost", "–"},
		{"3.10", "AMQP 1.0, Node rhea, application properties", "to Go", "lost", "lost", "lost", "–"},
		{"3.10", "AMQP 1.0, Node rhea, message annotations", "to Go", "lost", "lost", "lost", "–"},
		{"3.10", "MQTT 5, Node mqtt, user properties", "from Go", "refused", "–", "–", "–"},
		{"3.10", "MQTT 5, Node mqtt, user properties", "to Go", "refused", "–", "–", "–"},
		{"3.10", "shovel, AMQP 0-9-1 to AMQP 1.0", "Go to Go", "lost", "lost", "lost", "–"},
		{"3.10, 4.0", "shovel, AMQP 1.0 to AMQP 0-9-1", "Go to Go", "lost", "lost", "lost", "–"},
	},
}

// settlements is what the spans of both sides record of a message's end.
var settlements = &table{
	columns: []string{"settled by", "consumer", "its span's status", "description", "then the message is"},
	key:     2,
	rows: [][]string{
		{"ack", "Node", "UNSET", "–", "gone"},
		{"nack", "Node", "ERROR", "nack called on message without requeue", "dead-lettered"},
		{"reject", "Node", "ERROR", "reject called on message without requeue", "dead-lettered"},
		{"requeue", "Node", "ERROR", "nack called on message with requeue", "redelivered"},
		{"ack", "Go", "UNSET", "–", "gone"},
		{"nack", "Go", "ERROR", "message was given up: nack", "dead-lettered"},
		{"reject", "Go", "ERROR", "message was given up: reject", "dead-lettered"},
		{"requeue", "Go", "UNSET", "–", "redelivered"},
	},
}

// types is what becomes of a header's value that Node passes on.
var types = &table{
	columns: []string{"sent as", "by Go", "Node's type", "back in Go"},
	key:     2,
	rows: [][]string{
		{"`t`", "bool true", "boolean", "bool true"},
		{"`b`", "int8 -8", "number", "int8 -8"},
		{"`B`", "uint8 8", "number", "int8 8"},
		{"`s`", "int16 -16", "number", "int8 -16"},
		{"`I`", "int32 -32", "number", "int8 -32"},
		{"`l`", "int64 -1099511627776", "number", "int64 -1099511627776"},
		{"`l`", "int64 9007199254740993", "number", "int64 9007199254740992"},
		{"`f`", "float32 0.5", "number", "float64 0.5"},
		{"`d`", "float64 0.25", "number", "float64 0.25"},
		{"`D`", "amqp.Decimal 314e-2", "decimal", "amqp.Decimal 314e-2"},
		{"`S`", "string \"grüße\"", "string", "string \"grüße\""},
		{"`x`", "[]byte \"bytes\"", "Buffer", "[]byte \"bytes\""},
		{"`T`", "time.Time 1700000000", "timestamp", "time.Time 1700000000"},
		{"`F`", "amqp091.Table map[a:b]", "object", "amqp091.Table map[a:b]"},
		{"`A`", "[]interface {} [a 1]", "Array", "[]interface {} [a 1]"},
		{"`V`", "nil", "null", "nil"},
	},
}

// spanAttributes are the attributes that the two have on their spans of one message.
var spanAttributes = &table{
	columns: []string{"attribute", "Node's spans", "amqptrace's spans"},
	key:     1,
	rows: [][]string{
		{"`messaging.conversation_id`", "both", "–"},
		{"`messaging.destination`", "both", "–"},
		{"`messaging.destination.name`", "–", "both"},
		{"`messaging.destination.template`", "–", "publish"},
		{"`messaging.destination_kind`", "both", "–"},
		{"`messaging.message.conversation_id`", "–", "both"},
		{"`messaging.message.id`", "–", "both"},
		{"`messaging.message_id`", "both", "–"},
		{"`messaging.operation`", "process", "–"},
		{"`messaging.operation.name`", "–", "both"},
		{"`messaging.operation.type`", "–", "both"},
		{"`messaging.protocol`", "both", "–"},
		{"`messaging.protocol_version`", "both", "–"},
		{"`messaging.rabbitmq.destination.routing_key`", "–", "both"},
		{"`messaging.rabbitmq.message.delivery_tag`", "–", "process"},
		{"`messaging.rabbitmq.routing_key`", "both", "–"},
		{"`messaging.system`", "both", "both"},
		{"`messaging.url`", "both", "–"},
		{"`mqtrace.attempt`", "–", "process"},
		{"`mqtrace.publish.outcome`", "–", "publish"},
		{"`mqtrace.settlement`", "–", "process"},
		{"`server.address`", "both", "both"},
		{"`server.port`", "both", "both"},
	},
}

var tables = []*table{traces, settlements, types, spanAttributes}
