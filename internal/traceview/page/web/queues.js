// The queues that traces went through: a table, and a map of services and queues.
import { colorOf, learn } from './color.js';
import { el } from './dom.js';
import { clockSeconds, count, duration } from './format.js';
import { drawMap } from './map.js';
import { Polled, poll } from './server.js';

const sum = (list) => list.reduce((a, b) => a + b, 0);
const since = (queue, at) => queue.waitingSince ? (new Date(at) - new Date(queue.waitingSince)) * 1e6 : 0;
const rate = (n) => n > 0 ? n.toLocaleString('en', { maximumSignificantDigits: 3 }) : '';

// quoted returns a name as a term of a search.
const quoted = (name) => /[\s"]/.test(name) ? `"${name.replaceAll('"', '')}"` : name;
const search = (queue, more = '') => `#/?${new URLSearchParams({ q: `queue=${quoted(queue.name)} ${more}`.trim() })}`;
const waitingIn = (queue) => `#/?${new URLSearchParams({ q: `waiting=${quoted(queue.name)}` })}`;
const seconds = (ns) => `${Math.max(1, Math.floor(ns / 1e3))}us`;

// columns are the columns of the table: title, value to sort by, text, address of the
// traces behind it, and the width of window in which the column is left out.
const columns = [
  ['Queue', (q) => q.name, (q) => q.exchange ? `${q.name} (exchange)` : q.name, (q) => search(q)],
  ['Waiting', (q) => q.waiting, (q) => q.waiting || '', waitingIn],
  ['For', (q, at) => since(q, at), (q, at) => q.waiting ? duration(since(q, at)) : '', waitingIn],
  ['Per minute', (q) => q.perMinute, (q) => rate(q.perMinute), (q) => search(q, 'since:5m')],
  ['Wait p50', (q) => q.waitP50, (q) => q.processed ? duration(q.waitP50) : '', (q) => search(q, `waited>=${seconds(q.waitP50)}`), 'medium'],
  ['p95', (q) => q.waitP95, (q) => q.processed ? duration(q.waitP95) : '', (q) => search(q, `waited>=${seconds(q.waitP95)}`), 'narrow'],
  ['Longest', (q) => q.waitLongest, (q) => q.processed ? duration(q.waitLongest) : '', (q) => search(q, `waited>=${seconds(q.waitLongest)}`), 'medium'],
  ['Processing', (q) => q.processingP50, (q) => q.processed ? duration(q.processingP50) : '', (q) => search(q), 'narrow'],
  ['Failed', (q) => q.failures, (q) => q.failures || '', (q) => search(q, 'is:error')],
  ['Retried', (q) => q.retries, (q) => q.retries || '', (q) => search(q, 'is:retry'), 'narrow'],
  ['Dead', (q) => q.deadLetters, (q) => q.deadLetters || '', (q) => search(q, 'is:dead'), 'narrow'],
];

const hidden = (width) => width ? `without-${width}` : '';

export function showQueues(page) {
  return new Queues(page);
}

class Queues {
  queues = true;
  hash = '#/queues';
  #page;
  #stop = new AbortController();
  #body = el('tbody');
  #head;
  #sorted = 2; // the queue that waits longest comes first
  #down = true;
  #state = el('div', { class: 'status', role: 'status' });
  #map = el('div', { class: 'map', role: 'img', 'aria-label': 'Map of services and queues' });
  #latest;

  constructor(page) {
    this.#page = page;
    document.title = 'Queues · mqtrace';
    this.#head = columns.map(([title, , , , width], i) => el('th', { scope: 'col', class: `${i > 0 ? 'number' : 'name'} ${hidden(width)}` },
      el('button', { type: 'button', class: 'sort', click: () => this.#sort(i) }, title)));
    page.root.append(el('section', { class: 'queues-view' }, this.#state,
      el('div', { class: 'wide' }, el('table', { class: 'traces queues-table', 'aria-label': 'Queues' },
        el('thead', {}, el('tr', {}, ...this.#head, el('th', { scope: 'col', class: 'last without-medium' }, 'Last 15 min'))), this.#body)),
      this.#map));
    const polled = new Polled('api/queues');
    poll(async () => {
      const answer = await polled.next(this.#stop.signal);
      if (this.#stop.signal.aborted || !answer) return;
      page.state('Live');
      this.#latest = answer;
      learn(answer.services);
      this.#show();
    }, (error) => page.state(`Not connected: ${error.message}`), this.#stop.signal);
  }

  close() {
    this.#stop.abort();
  }

  route(target) {
    return target.queues;
  }

  key(event) {
    if (event.key === 'Escape') location.hash = this.#page.listHash;
  }

  #sort(i) {
    this.#down = this.#sorted === i ? !this.#down : i > 0;
    this.#sorted = i;
    if (this.#latest) this.#show();
  }

  #show() {
    const { queues, edges, at } = this.#latest;
    this.#head.forEach((th, i) => th.setAttribute('aria-sort', i === this.#sorted ? this.#down ? 'descending' : 'ascending' : 'none'));
    const by = columns[this.#sorted][1];
    const rows = queues.toSorted((a, b) => {
      const [x, y] = [by(a, at), by(b, at)];
      return (x < y ? -1 : x > y ? 1 : 0) * (this.#down ? -1 : 1) || (a.name < b.name ? -1 : 1);
    });
    const waiting = sum(queues.map((q) => q.waiting));
    this.#state.textContent = queues.length === 0 ? 'No queues yet: no span sends or processes a message.'
      : `${count(queues.length, 'queue')}${waiting > 0 ? `, ${count(waiting, 'message')} that nothing has consumed` : ''}`;
    const focused = this.#body.contains(document.activeElement) ? document.activeElement.getAttribute('href') : null;
    this.#body.replaceChildren(...rows.map((q) => this.#row(q, at)));
    if (focused) [...this.#body.querySelectorAll('a')].find((a) => a.getAttribute('href') === focused)?.focus();
    drawMap(this.#map, queues, edges);
  }

  #row(q, at) {
    const dots = (names) => names.length === 0 ? el('span', { class: 'nobody' }, 'none seen')
      : names.slice(0, 6).map((name) => el('span', { class: 'party', title: name }, el('span', { class: `dot ${colorOf(name)}` }), name));
    const cell = ([, , show, traces, width], i) => {
      const text = String(show(q, at));
      const link = text ? el('a', { href: traces(q), title: i === 0 ? text : null }, text) : '';
      if (i > 0) return el('td', { class: `number ${hidden(width)}` }, link);
      return el('td', { class: 'name' }, el('div', { class: 'queue' }, link),
        el('div', { class: 'parties' }, dots(q.publishers), el('span', {}, '→'), dots(q.consumers)),
        q.tenants.length > 0 ? el('div', { class: 'tenants' }, `waiting for: ${q.tenants.slice(0, 5).join(', ')}`) : null,
        q.scheduled ? el('div', { class: 'tenants' }, el('a', { href: search(q, 'is:scheduled') },
          `${q.scheduled} not due yet, the next at ${clockSeconds(q.nextDue)}`)) : null);
    };
    return el('tr', { class: q.waiting > 0 ? 'stuck' : '', 'data-queue': q.name },
      ...columns.map(cell), el('td', { class: 'last without-medium' }, spark(q.last)));
  }
}

const svg = (name, attributes) => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};

// spark draws the number of messages in each of the last minutes.
function spark(last) {
  const most = Math.max(1, ...last);
  const chart = svg('svg', { class: 'spark', width: last.length * 5, height: 18, role: 'img', 'aria-label': `messages by minute: ${last.join(' ')}` });
  last.forEach((n, i) => {
    const height = n > 0 ? Math.max(2, n / most * 18) : 1;
    chart.append(svg('rect', { x: i * 5, y: 18 - height, width: 4, height }));
  });
  return chart;
}
