// An AMQP 1.0 client without instrumentation: `node rhea.js PORT`.
'use strict';

const rhea = require('rhea');
const serve = require('./serve.js');
const { typed, first } = serve;

const options = { host: '127.0.0.1', port: Number(process.argv[2]), username: 'guest', password: 'guest', reconnect: false };

// on calls work with a new container and closes its connection afterwards.
async function on(work) {
  const container = rhea.create_container();
  let connection;
  try {
    return await first((resolve, reject) => {
      for (const problem of ['connection_error', 'session_error', 'sender_error', 'receiver_error', 'rejected']) {
        container.on(problem, (c) => reject(c.error ?? c.connection?.error ?? new Error(problem)));
      }
      connection = container.connect(options);
      work(container, connection, resolve);
    });
  } finally {
    connection.close();
  }
}

const publish = ({ address, headers, annotations, body }) =>
  on((container, connection, resolve) => {
    connection.open_sender(address);
    container.once('sendable', ({ sender }) => {
      sender.send({ application_properties: headers, message_annotations: annotations, body });
    });
    container.once('accepted', () => resolve({}));
  });

const consume = ({ address }) =>
  on((container, connection, resolve) => {
    connection.open_receiver({ source: { address }, credit_window: 1 });
    container.once('message', ({ message }) => resolve({
      headers: typed(message.application_properties),
      annotations: typed(message.message_annotations),
      body: String(message.body?.content ?? message.body),
    }));
  });

serve({ publish, consume }, async () => {});
