// An MQTT client without instrumentation: `node mqtt.js PORT`. RabbitMQ 3.10 speaks
// MQTT 3.1.1, whose messages have no headers.
'use strict';

const mqtt = require('mqtt');
const serve = require('./serve.js');
const { first } = serve;

let client;
const connect = async () => (client ??= await mqtt.connectAsync(`mqtt://127.0.0.1:${process.argv[2]}`, {
  username: 'guest', password: 'guest', protocolVersion: 4, reconnectPeriod: 0,
}));

async function publish({ topic, body }) {
  await (await connect()).publishAsync(topic, body, { qos: 1 });
}

let arrives;

async function subscribe({ topic }) {
  const c = await connect();
  arrives = first((resolve) => c.once('message', (_, payload) => resolve({ headers: {}, body: payload.toString() })));
  await c.subscribeAsync(topic, { qos: 1 });
}

const consume = () => arrives;

serve({ publish, subscribe, consume }, async () => client?.endAsync());
