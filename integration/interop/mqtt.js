// An MQTT client without instrumentation: `node mqtt.js PORT 4|5`. 4 is MQTT 3.1.1, whose
// messages have no headers. Those of 5 have user properties.
'use strict';

const mqtt = require('mqtt');
const serve = require('./serve.js');
const { typed, first } = serve;

const [port, version] = process.argv.slice(2);

let client;
const connect = async () => (client ??= await mqtt.connectAsync(`mqtt://127.0.0.1:${port}`, {
  username: 'guest', password: 'guest', protocolVersion: Number(version), reconnectPeriod: 0,
}, false)); // or it waits for a server that has closed the connection

async function publish({ topic, body, headers }) {
  const properties = headers && { userProperties: headers };
  await (await connect()).publishAsync(topic, body, { qos: 1, properties });
}

let arrives;

async function subscribe({ topic }) {
  const c = await connect();
  arrives = first((resolve) => c.once('message', (_, payload, packet) => resolve({
    headers: typed(packet.properties?.userProperties), body: payload.toString(),
  })));
  await c.subscribeAsync(topic, { qos: 1 });
}

const consume = () => arrives;

serve({ publish, subscribe, consume }, async () => client?.endAsync());
