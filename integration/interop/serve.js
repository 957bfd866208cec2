// Commands for a client: a line of JSON on standard input is {"op": ..., its arguments},
// and is answered by a line of JSON on standard output.
'use strict';

const readline = require('node:readline');

module.exports = async function serve(commands, close) {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    let answer;
    try {
      answer = (await commands[command.op](command)) ?? {};
    } catch (err) {
      answer = { error: String(err?.stack ?? err) };
    }
    process.stdout.write(JSON.stringify(answer) + '\n');
  }
  await close();
};

// typed returns each value with the type that the client read.
module.exports.typed = (headers) => {
  const seen = {};
  for (const [name, value] of Object.entries(headers ?? {})) {
    if (Buffer.isBuffer(value)) seen[name] = { type: 'Buffer', value: value.toString('utf8') };
    else if (value?.['!']) seen[name] = { type: value['!'], value: String(value.value) };
    else if (Array.isArray(value)) seen[name] = { type: 'Array', value: JSON.stringify(value) };
    else if (value === null) seen[name] = { type: 'null', value: 'null' };
    else if (value instanceof Date) seen[name] = { type: 'Date', value: value.toISOString() };
    else if (typeof value === 'object') seen[name] = { type: 'object', value: JSON.stringify(value) };
    else seen[name] = { type: typeof value, value: String(value) };
  }
  return seen;
};

// first resolves to the first value that register passes to its callback.
module.exports.first = (register) =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('nothing came for 20 s')), 20000);
    register((value) => {
      clearTimeout(timer);
      resolve(value);
    }, reject);
  });
