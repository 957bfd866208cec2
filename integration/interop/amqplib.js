// amqplib with OpenTelemetry's instrumentation, as a program would set it up:
// `MQTRACE_AMQP_URL=… node amqplib.js parent|link`.
'use strict';

const { NodeSDK, tracing } = require('@opentelemetry/sdk-node');
const { AmqplibInstrumentation } = require('@opentelemetry/instrumentation-amqplib');

const url = process.env.MQTRACE_AMQP_URL;
const [relation] = process.argv.slice(2);
const spans = new tracing.InMemorySpanExporter();
const sdk = new NodeSDK({
  spanProcessors: [new tracing.SimpleSpanProcessor(spans)],
  instrumentations: [new AmqplibInstrumentation({ useLinksForConsume: relation === 'link' })],
});
sdk.start(); // before amqplib is there

const { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } = require('@opentelemetry/api');
const { setTimeout } = require('node:timers/promises');
const amqplib = require('amqplib');
const serve = require('./serve.js');
const { typed, first } = serve;

let connection;
const connect = async () => (connection ??= await amqplib.connect(url));

const told = (span) => ({
  name: span.name,
  kind: SpanKind[span.kind],
  status: SpanStatusCode[span.status.code],
  statusText: span.status.message,
  traceId: span.spanContext().traceId,
  spanId: span.spanContext().spanId,
  parentId: span.parentSpanContext?.spanId,
  links: span.links.map((l) => ({
    traceId: l.context.traceId,
    spanId: l.context.spanId,
    tracestate: l.context.traceState?.serialize(),
  })),
  attributes: span.attributes,
});

// take returns the one span that has ended since the last call. The SDK exports the first
// spans only once it knows its resource.
async function take() {
  for (let n = 0; n < 1000 && !spans.getFinishedSpans().length; n++) await setTimeout(5);
  const ended = spans.getFinishedSpans();
  if (ended.length !== 1) throw new Error(`${ended.length} spans, not 1`);
  spans.reset();
  return told(ended[0]);
}

// publish acts as a service in the middle of a trace: what it sends belongs to the trace in
// `context`.
async function publish({ exchange = '', key, headers, confirm, context: carrier = {}, properties }) {
  const conn = await connect();
  const channel = confirm ? await conn.createConfirmChannel() : await conn.createChannel();
  const ctx = propagation.extract(ROOT_CONTEXT, carrier);
  const options = { ...properties, headers: { ...headers } };
  await new Promise((resolve, reject) => {
    context.with(ctx, () => {
      const done = confirm ? (err) => (err ? reject(err) : resolve()) : undefined;
      channel.publish(exchange, key, Buffer.from('order'), options, done);
      if (!confirm) resolve();
    });
  });
  await channel.close();
  return { span: await take() };
}

const settlements = {
  ack: (channel, msg) => channel.ack(msg),
  nack: (channel, msg) => channel.nack(msg, false, false),
  reject: (channel, msg) => channel.reject(msg, false),
  requeue: (channel, msg) => channel.nack(msg, false, true),
};

// consume takes one message, reports its context and settles it.
async function consume({ queue, settle = 'ack' }) {
  const channel = await (await connect()).createChannel();
  await channel.prefetch(1);
  const seen = await first((resolve, reject) => {
    let taken = false;
    channel.on('error', reject);
    channel.consume(queue, (msg) => {
      if (taken) return; // requeued: it comes to this consumer too, and stays unsettled
      taken = true;
      const ctx = context.active();
      const tags = {};
      for (const [name, entry] of propagation.getBaggage(ctx)?.getAllEntries() ?? []) tags[name] = entry.value;
      settlements[settle](channel, msg);
      resolve({
        headers: typed(msg.properties.headers),
        body: msg.content.toString(),
        redelivered: msg.fields.redelivered,
        tracestate: trace.getSpanContext(ctx)?.traceState?.serialize(),
        baggage: tags,
      });
    }).catch(reject);
  });
  const span = await take();
  await channel.close(); // ends the span of what was requeued and came once more
  spans.reset();
  return { ...seen, span };
}

// echo forwards a message with its headers unchanged.
async function echo({ from, to }) {
  const channel = await (await connect()).createChannel();
  const msg = await channel.get(from, { noAck: true });
  const headers = typed(msg.properties.headers);
  // The instrumentation does not see get, so that the context has to be taken by hand.
  context.with(propagation.extract(ROOT_CONTEXT, msg.properties.headers), () => {
    channel.sendToQueue(to, msg.content, { headers: { ...msg.properties.headers } });
  });
  await channel.close();
  await take();
  return { headers };
}

serve({ publish, consume, echo }, async () => {
  await connection?.close();
  await sdk.shutdown();
});
