// Traces to show, as OTLP/JSON: what a queue can do to a message, and what a page must
// not do with text.

let lastID = 0;
const hex = (digits) => (++lastID).toString(16).padStart(4, '0').padStart(digits, 'a7c3e5912b84d6f0'.repeat(2).slice(0, digits - 4));

export const newTraceID = () => hex(32).split('').reverse().join('');
const newSpanID = () => hex(16).split('').reverse().join('');

const value = (v) => {
  if (Array.isArray(v)) return { arrayValue: { values: v.map(value) } };
  if (typeof v === 'boolean') return { boolValue: v };
  if (typeof v === 'number') return Number.isSafeInteger(v) ? { intValue: String(v) } : { doubleValue: v };
  return { stringValue: v };
};
const attributes = (record = {}) => Object.entries(record).map(([key, v]) => ({ key, value: value(v) }));

const kinds = { internal: 1, server: 2, client: 3, producer: 4, consumer: 5 };
let began = Date.now() - 5000;
const at = (ms) => String(BigInt(began) * 1000000n + BigInt(Math.round(ms * 1e6)));

// beginAt sets the time that times are relative to, in milliseconds since 1970.
export const beginAt = (ms) => { began = ms; };

// Trace collects spans. Times are in milliseconds from when the program began.
export class Trace {
  id = newTraceID();
  #services = new Map();

  constructor(offset = 0) {
    this.offset = offset;
  }

  // span adds one and returns it, to be a parent or a link's end.
  span(service, name, kind, start, end, { parent, error, links = [], events = [], ...record } = {}) {
    const span = {
      traceId: this.id, spanId: newSpanID(), parentSpanId: parent?.spanId, name, kind: kinds[kind], flags: 1,
      startTimeUnixNano: at(this.offset + start), endTimeUnixNano: at(this.offset + end),
      attributes: attributes(record), status: error ? { code: 2, message: error } : undefined,
      links: links.map(({ traceId, spanId }) => ({ traceId, spanId })),
      events: events.map(([name, ms, record]) => ({ name, timeUnixNano: at(this.offset + ms), attributes: attributes(record) })),
    };
    if (!this.#services.has(service)) this.#services.set(service, []);
    this.#services.get(service).push(span);
    return span;
  }

  // everywhere are attributes of each resource, scope and link.
  everywhere = {};

  get otlp() {
    const more = attributes(this.everywhere);
    const hostile = more[0]?.key;
    return {
      resourceSpans: [...this.#services].map(([service, spans]) => ({
        resource: { attributes: [...attributes({ 'service.name': service, 'service.version': '1.4.0', 'host.name': 'worker-7' }), ...more] },
        scopeSpans: [{
          scope: { name: hostile ?? 'github.com/mqtrace/mqtrace/amqptrace', version: hostile ?? '0.2.0', attributes: more }, schemaUrl: hostile,
          spans: spans.map((span) => ({ ...span, traceState: hostile, links: span.links.map((link) => ({ ...link, attributes: more })) })),
        }],
      })),
    };
  }
}

const rabbit = { 'messaging.system': 'rabbitmq', 'server.address': 'rabbit.internal', 'server.port': 5672 };
const asynq = { 'messaging.system': 'asynq' };

// order is a request whose message is retried, given up, and processed as a dead letter.
export function order(offset) {
  const t = new Trace(offset);
  const root = t.span('order-api', 'POST /orders', 'server', 0, 86, { 'http.response.status_code': 202, 'url.path': '/orders', 'tenant.id': 'acme' });
  t.span('order-api', 'check inventory', 'internal', 4, 15, { parent: root, 'db.system.name': 'postgresql' });
  const charge = t.span('order-api', 'POST /payments', 'client', 17, 62, { parent: root, 'http.response.status_code': 200 });
  t.span('payment', 'POST /payments', 'server', 20, 58, { parent: charge });
  const publish = t.span('order-api', 'publish orders', 'producer', 64, 82, {
    parent: root, ...rabbit, 'messaging.operation.name': 'publish', 'messaging.operation.type': 'send',
    'messaging.destination.name': 'orders:order.created', 'messaging.message.id': 'ord-20417', 'mqtrace.publish.outcome': 'acked',
  });
  const received = (queue, extra) => ({
    parent: publish, links: [publish], ...rabbit, 'messaging.operation.name': 'process', 'messaging.operation.type': 'process',
    'messaging.destination.name': `orders:order.created:${queue}`, 'messaging.message.id': 'ord-20417',
    baggage: 'tenant.id=acme,user.tier=gold', ...extra,
  });
  const first = t.span('notification', 'process order-mails', 'consumer', 235, 290, received('order-mails', {
    'mqtrace.attempt': 1, 'mqtrace.settlement': 'requeue', 'mqtrace.queue_time': 0.153, 'messaging.rabbitmq.message.delivery_tag': 41,
    error: 'template service: connection refused', 'error.type': '*net.OpError',
    events: [['template.lookup', 240, { template: 'order-confirmed' }]],
  }));
  t.span('notification', 'GET /templates', 'client', 238, 287, { parent: first, error: 'dial tcp 10.0.3.9:443: connection refused', 'error.type': '*net.OpError' });
  const second = t.span('notification', 'process order-mails', 'consumer', 520, 604, received('order-mails', {
    'mqtrace.attempt': 2, 'mqtrace.settlement': 'reject', 'mqtrace.queue_time': 0.438, 'messaging.rabbitmq.message.delivery_tag': 42,
    error: 'template service: connection refused', 'error.type': '*net.OpError',
  }));
  t.span('notification', 'GET /templates', 'client', 524, 600, { parent: second, error: 'dial tcp 10.0.3.9:443: connection refused', 'error.type': '*net.OpError' });
  const dead = t.span('undertaker', 'process order-mails.dead', 'consumer', 790, 868, received('order-mails.dead', {
    'mqtrace.attempt': 1, 'mqtrace.settlement': 'ack', 'mqtrace.dead_letter.count': 1,
    'mqtrace.dead_letter.queues': ['order-mails'], 'mqtrace.dead_letter.reasons': ['rejected'],
  }));
  const enqueue = t.span('undertaker', 'enqueue mails', 'producer', 812, 830, { parent: dead, ...asynq, 'messaging.operation.name': 'enqueue', 'messaging.destination.name': 'mails' });
  t.span('mail-worker', 'process mails', 'consumer', 930, 1010, {
    parent: enqueue, links: [enqueue], ...asynq, 'messaging.operation.name': 'process', 'messaging.destination.name': 'mails',
    'asynq.task.type': 'mail:send', 'asynq.task.retry_count': 0, 'asynq.task.max_retry': 5, 'asynq.task.outcome': 'done', 'tenant.id': 'acme',
  });
  const billed = t.span('billing', 'process invoices', 'consumer', 128, 205, received('invoices', { 'mqtrace.settlement': 'ack' }));
  t.span('billing', 'INSERT invoices', 'client', 140, 196, { parent: billed, 'db.system.name': 'postgresql' });
  return { trace: t, publish, first };
}

// settlement is a batch, in a trace of its own, of messages that other traces sent.
export function settlement(offset, published) {
  const t = new Trace(offset);
  const root = t.span('ledger', 'process settlements', 'consumer', 0, 140, {
    links: published, ...rabbit, 'messaging.operation.name': 'process', 'messaging.destination.name': 'orders:order.created:settlements',
    'messaging.batch.message_count': published.length, 'mqtrace.settlement': 'ack',
  });
  t.span('ledger', 'COPY settlements', 'client', 20, 121, { parent: root, 'db.system.name': 'postgresql' });
  t.root = root;
  return t;
}

// simple is an unremarkable order whose message waits for the given milliseconds.
export function simple(offset, name = 'POST /orders', extra = {}, waits = 25) {
  const t = new Trace(offset);
  const root = t.span('order-api', name, 'server', 0, 24, extra);
  const publish = t.span('order-api', 'publish orders', 'producer', 8, 21, { parent: root, ...rabbit, 'messaging.operation.name': 'publish', 'messaging.destination.name': 'orders:order.created' });
  t.span('billing', 'process invoices', 'consumer', 21 + waits, 46 + waits, { parent: publish, links: [publish], ...rabbit, 'messaging.operation.name': 'process', 'messaging.destination.name': 'orders:order.created:invoices', 'mqtrace.settlement': 'ack' });
  return { trace: t, publish };
}

// scheduled is an order with a task that is due ten minutes later.
export function scheduled(offset) {
  const t = new Trace(offset);
  const root = t.span('order-api', 'POST /orders', 'server', 0, 24);
  t.span('order-api', 'enqueue reminders', 'producer', 8, 11, {
    parent: root, ...asynq, 'messaging.operation.name': 'enqueue', 'messaging.destination.name': 'reminders',
    'mqtrace.due_time': new Date(began + offset + 600_000).toISOString().replace(/\.\d+/, ''),
  });
  return { trace: t };
}

// unconsumed is an order whose message nothing consumes.
export function unconsumed(offset, tenant) {
  const t = new Trace(offset);
  const root = t.span('order-api', 'POST /orders', 'server', 0, 24, { 'tenant.id': tenant });
  t.span('order-api', 'enqueue emails', 'producer', 8, 11, { parent: root, 'messaging.system': 'asynq', 'messaging.operation.name': 'enqueue', 'messaging.destination.name': 'emails' });
  return { trace: t };
}

// Text that would run or become an element if it were parsed as HTML.
export const hostile = [
  '<img src=x onerror="window.pwned=1">', '<script>window.pwned=1</script>', '"><svg onload=window.pwned=1>',
  'javascript:window.pwned=1', '{{constructor.constructor("window.pwned=1")()}}',
];

// attack has such text wherever a span has text.
export function attack(offset) {
  const t = new Trace(offset);
  const other = new Trace();
  const [img, script, svg, href, braces] = hostile;
  const root = t.span(img, img, 'server', 0, 50, { [script]: svg, [href]: href, list: [img, script], error: script, 'error.type': svg });
  const sent = t.span(svg, `publish ${img}`, 'producer', 5, 10, {
    parent: root, 'messaging.system': script, 'messaging.operation.name': 'publish', 'messaging.destination.name': img, 'mqtrace.publish.outcome': img,
  });
  const linked = other.span(braces, svg, 'internal', 0, 1);
  t.everywhere = { [img]: script, [script]: [svg, href] };
  t.span(script, `process ${script}`, 'consumer', 20, 30, {
    parent: sent, links: [linked], 'messaging.operation.name': 'process', 'messaging.destination.name': script, 'messaging.message.id': img,
    'mqtrace.attempt': 2, 'mqtrace.settlement': svg, 'mqtrace.dead_letter.count': 1, 'mqtrace.dead_letter.reasons': [img], 'mqtrace.dead_letter.queues': [script],
    baggage: `${img}=${encodeURIComponent(script)}`, events: [[img, 22, { [svg]: script }]],
  });
  return { trace: t, other };
}

// nonsense has what no sender should send: invalid times, missing parents and loops of
// parents, names that hide or reorder text. It returns the number of spans.
export function nonsense() {
  const t = new Trace();
  const most = '18446744073709551615';
  const odd = [
    { name: 'no times', startTimeUnixNano: '0', endTimeUnixNano: '0' }, { name: 'ends before it starts', endTimeUnixNano: '1' },
    { name: 'never ends', endTimeUnixNano: '0' }, { name: 'the end of time', endTimeUnixNano: most }, { name: 'at the end of time', startTimeUnixNano: most, endTimeUnixNano: most },
    { name: 'its own parent' }, { name: 'an orphan', parentSpanId: 'ffffffffffffffff' }, { name: '\u202egnp.exe\u2066\u200b' }, { name: '' }, { name: '\u0000\u001b[31m\n\t' },
    { name: '\ud83d\ude80'.repeat(300) }, { name: 'e' + '\u0301'.repeat(500) }, { name: 'x'.repeat(100000) }, { name: 'ひらがな العربية עברית' }, { name: '__proto__' },
  ].map((change, i) => Object.assign(t.span(['a', '', '\u202eb', 'constructor'][i % 4], '', i % 2 ? 'consumer' : 'producer', i, i + 1, {
    '': '', ['__proto__']: 'x', constructor: 'x', long: 'y'.repeat(20000), '\u202ekey': '\u202evalue', 'mqtrace.attempt': 1e15, 'mqtrace.dead_letter.count': 5e15,
    'mqtrace.queue_time': 1e300, baggage: '=,;%E0%A4%A', error: i % 3 ? undefined : '\u202erorre',
  }), change));
  odd[5].parentSpanId = odd[5].spanId;
  const loop = ['one', 'two', 'three'].map((name) => t.span('a', `loop ${name}`, 'internal', 0, 1));
  loop.forEach((span, i) => { span.parentSpanId = loop[(i + 1) % 3].spanId; });
  return { trace: t, spans: odd.length + loop.length };
}

// large has the given number of spans, with queues in between. Some have failed.
export function large(offset, spans) {
  const t = new Trace(offset);
  const root = t.span('import', 'import catalogue', 'internal', 0, spans / 2);
  for (let n = 1; n < spans; n += 4) {
    const publish = t.span('import', 'publish items', 'producer', n / 4, n / 4 + 1, { parent: root, ...rabbit, 'messaging.destination.name': 'items', item: n });
    const process = t.span('indexer', 'process items', 'consumer', n / 4 + 10, n / 4 + 30, {
      parent: publish, links: [publish], ...rabbit, 'messaging.destination.name': 'items', 'mqtrace.settlement': 'ack', item: n, error: n % 997 === 0 ? 'index is full' : undefined,
    });
    t.span('indexer', 'tokenize', 'internal', n / 4 + 11, n / 4 + 14, { parent: process });
    if (n + 3 < spans) t.span('search', 'PUT /items', 'server', n / 4 + 15, n / 4 + 28, { parent: process });
  }
  return t;
}
