// Requests to the server.

export class Failure extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function answerOf(response) {
  const text = await response.text();
  let answer;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new Failure(`The server answered ${response.status} without JSON.`, response.status);
  }
  if (!response.ok) throw new Failure(answer.error || answer.message || `The server answered ${response.status}.`, response.status);
  return answer;
}

// Polled requests a path repeatedly, and gets an answer only if it has changed.
export class Polled {
  #path;
  #tag = '';

  constructor(path) {
    this.#path = path;
  }

  // next resolves to null if nothing has changed since the last answer.
  async next(signal) {
    const response = await fetch(this.#path, { signal, headers: this.#tag ? { 'If-None-Match': this.#tag } : {} });
    if (response.status === 304) return null;
    const answer = await answerOf(response);
    this.#tag = response.headers.get('ETag') ?? '';
    return answer;
  }
}

export const tracePath = (id) => `api/traces/${encodeURIComponent(id)}`;

export const getSpan = async (trace, span, signal) =>
  answerOf(await fetch(`${tracePath(trace)}/spans/${encodeURIComponent(span)}`, { signal }));

// send stores a file's spans. It returns the ids of the traces in it, and what was left
// out, if anything.
export async function send(file) {
  const answer = await answerOf(await fetch('api/open', { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: file }));
  return { ids: answer.ids, warning: answer.warnings.join('; ') };
}

// poll calls step at once and then every second while the page is visible, until the signal
// is aborted. After an error, it calls failed and continues.
export function poll(step, failed, signal) {
  const run = async () => {
    if (!document.hidden) {
      try {
        await step();
      } catch (error) {
        if (!signal.aborted) failed(error);
      }
    }
    if (!signal.aborted) timer = setTimeout(run, 1000);
  };
  let timer;
  signal.addEventListener('abort', () => clearTimeout(timer));
  run();
}
