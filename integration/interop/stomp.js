// A STOMP client without instrumentation: `node stomp.js PORT`.
'use strict';

const stompit = require('stompit');
const serve = require('./serve.js');
const { typed, first } = serve;

const options = {
  host: '127.0.0.1',
  port: Number(process.argv[2]),
  connectHeaders: { host: '/', login: 'guest', passcode: 'guest' },
};

// With a separate client, because stompit's can send only one frame at a time.
async function withClient(work) {
  const client = await first((resolve, reject) =>
    stompit.connect(options, (err, c) => (err ? reject(err) : resolve(c))));
  try {
    return await work(client);
  } finally {
    await new Promise((resolve) => client.disconnect(resolve));
  }
}

const publish = ({ queue, headers, body }) =>
  withClient((client) => first((resolve) => {
    const frame = client.send({ destination: `/amq/queue/${queue}`, ...headers }, { onReceipt: () => resolve({}) });
    frame.end(body);
  }));

const consume = ({ queue }) =>
  withClient((client) => first((resolve, reject) => {
    client.subscribe({ destination: `/amq/queue/${queue}`, ack: 'client-individual' }, (err, message) => {
      if (err) return; // the client is disconnecting
      message.readString('utf-8', (problem, body) => {
        if (problem) return reject(problem);
        client.ack(message);
        return resolve({ headers: typed(message.headers), body });
      });
    });
  }));

serve({ publish, consume }, async () => {});
