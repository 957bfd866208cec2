// Started by bullmq_test.go: `node interop.js work|add host port queue` processes one job of
// a BullMQ queue, or adds one, with BullMQ's own telemetry, and prints the job as seen here
// as one line of JSON.
'use strict';

const { NodeSDK, tracing } = require('@opentelemetry/sdk-node');
const sdk = new NodeSDK({
  spanProcessors: [new tracing.SimpleSpanProcessor(new tracing.InMemorySpanExporter())],
});
sdk.start(); // before anything that is to be traced

const { context, propagation, trace } = require('@opentelemetry/api');
const { Queue, Worker } = require('bullmq');
const { BullMQOtel } = require('bullmq-otel');

const [mode, host, port, name] = process.argv.slice(2);
const { REDIS_USERNAME: username, REDIS_PASSWORD: password, REDIS_DB: db } = process.env;
const connection = { host, port: Number(port), username: username || undefined, password: password || undefined, db: Number(db) };
const options = { connection, telemetry: new BullMQOtel('interop') };

const seen = (ctx, more) => {
  const span = trace.getSpan(ctx);
  const tenant = propagation.getBaggage(ctx)?.getEntry('tenant.id')?.value;
  return JSON.stringify({
    traceId: span?.spanContext().traceId,
    parentId: span?.parentSpanContext?.spanId,
    spanId: span?.spanContext().spanId,
    tenant,
    ...more,
  });
};

async function work() {
  const line = await new Promise((resolve, reject) => {
    const worker = new Worker(name, async (job) => {
      const got = seen(context.active(), { job: job.name, data: job.data });
      setImmediate(() => worker.close().then(() => resolve(got), reject));
    }, options);
    worker.on('error', reject);
    worker.on('failed', (_, err) => reject(err));
  });
  console.log(line);
}

async function add() {
  const queue = new Queue(name, options);
  await trace.getTracer('interop').startActiveSpan('request', async (span) => {
    const bag = propagation.createBaggage({ 'tenant.id': { value: 't1' } });
    await context.with(propagation.setBaggage(context.active(), bag), async () => {
      const job = await queue.add('welcome', { user: 7 });
      console.log(seen(context.active(), { id: job.id }));
    });
    span.end();
  });
  await queue.close();
}

(mode === 'work' ? work() : add())
  .then(() => sdk.shutdown())
  .catch((err) => {
    console.error(err);
    process.exitCode = 1;
  });
