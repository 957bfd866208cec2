// The list of traces and its search.
import { colorOf, learn } from './color.js';
import { copyButton, el, isTyping } from './dom.js';
import { ago, clock, clockSeconds, count, duration } from './format.js';
import { Polled, poll } from './server.js';

const pageSize = 200;

// toAPI converts the search in the address to the server's parameters.
function toAPI(search, limit) {
  const query = new URLSearchParams({ limit });
  for (const name of ['q', 'service', 'queue', 'errors', 'sort', 'order']) {
    if (search.get(name)) query.set(name, search.get(name));
  }
  if (search.get('waiting')) query.set('q', `${search.get('q') ?? ''} is:waiting`.trim());
  return query;
}

const columns = [['Trace', 'name', 'name'], ['Started', 'started', 'start'], ['Duration', 'number', 'duration'],
  ['Waited', 'number waited', 'waited', 'Total time that messages waited in queues'], ['Spans', 'number spans', 'spans'], ['Errors', 'number', 'errors']];

export function showList(page) {
  const list = new List(page);
  list.search(page.target.search);
  return list;
}

class List {
  #page;
  #fields;
  #body = el('tbody');
  #table;
  #count = el('span', { class: 'found', role: 'status' });
  #more = el('button', { type: 'button', class: 'more', hidden: true, click: () => this.#showMore() });
  #fresh = el('button', { type: 'button', class: 'fresh', hidden: true, click: () => this.#showFresh() });
  #wrong = el('p', { class: 'wrong', role: 'alert', hidden: true });
  #empty = el('div', { class: 'empty', hidden: true });
  #rows = new Map(); // by trace id: { row, summary }
  #latest; // the server's last answer
  #search;
  #limit = pageSize;
  #selected = '';
  #stop = new AbortController();
  #options = {};
  #from; // the trace that was open before

  constructor(page) {
    this.#page = page;
    this.#from = page.from;
    document.title = 'Traces · mqtrace';
    this.#fields = this.#makeFields();
    this.#table = el('table', { class: 'traces', 'aria-label': 'Traces, newest first' },
      el('thead', {}, el('tr', {}, ...columns.map(([text, name, key, title]) => el('th', { scope: 'col', class: name, title },
        el('button', { type: 'button', class: 'sort', 'data-sort': key, click: () => this.#sort(key) }, text))))), this.#body);
    page.root.append(el('section', { class: 'list' },
      el('form', { class: 'search', role: 'search', submit: (event) => event.preventDefault() },
        this.#fields.q, this.#fields.service, this.#fields.queue,
        el('button', { type: 'button', class: 'syntax', title: 'Search syntax', click: () => document.getElementById('keys').showModal() }, 'Syntax'),
        el('label', { class: 'check' }, this.#fields.waiting, 'Not consumed'),
        el('label', { class: 'check' }, this.#fields.errors, 'Errors only')),
      this.#wrong,
      el('div', { class: 'status' }, this.#count, this.#fresh), this.#table, this.#more, this.#empty));
  }

  close() {
    this.#stop.abort();
  }

  // hash is the address of the list, including the search.
  get hash() {
    return this.#search.size > 0 ? `#/?${this.#search}` : '#/';
  }

  route(target) {
    if (target.trace || target.queues) return false;
    if (target.search.toString() !== this.#search.toString()) this.search(target.search);
    return true;
  }

  #makeFields() {
    const changed = () => this.#changed();
    const select = (name) => el('select', { name, 'aria-label': `${name[0].toUpperCase()}${name.slice(1)}`, change: changed });
    return {
      q: el('input', {
        type: 'search', name: 'q', spellcheck: false, autocomplete: 'off', 'aria-keyshortcuts': '/',
        placeholder: 'Search: waited>1s error:mailbox tenant.id=acme', 'aria-label': 'Search by name, trace id, error text, times, or attribute as key=value',
        input: changed,
      }),
      service: select('service'), queue: select('queue'),
      errors: el('input', { type: 'checkbox', name: 'errors', change: changed }),
      waiting: el('input', { type: 'checkbox', name: 'waiting', change: changed }),
    };
  }

  #changed() {
    const search = new URLSearchParams();
    const { q, service, queue, errors, waiting } = this.#fields;
    if (q.value.trim()) search.set('q', q.value.trim());
    if (service.value) search.set('service', service.value);
    if (queue.value) search.set('queue', queue.value);
    if (errors.checked) search.set('errors', 'true');
    if (waiting.checked) search.set('waiting', 'true');
    for (const name of ['sort', 'order']) if (this.#search.get(name)) search.set(name, this.#search.get(name));
    this.search(search);
    history.replaceState(null, '', this.hash);
  }

  // search shows the traces that the parameters find, and keeps the list current.
  search(search) {
    this.#search = search;
    this.#limit = pageSize;
    const { q, service, queue, errors, waiting } = this.#fields;
    if (document.activeElement !== q) q.value = search.get('q') ?? '';
    this.#offer(service, 'All services', this.#latest?.services ?? [], search.get('service') ?? '');
    this.#offer(queue, 'All queues', this.#latest?.queues ?? [], search.get('queue') ?? '');
    errors.checked = search.get('errors') === 'true';
    waiting.checked = search.get('waiting') === 'true';
    for (const button of this.#table.querySelectorAll('.sort')) {
      const sorted = button.dataset.sort === search.get('sort');
      button.parentElement.setAttribute('aria-sort', sorted ? search.get('order') === 'asc' ? 'ascending' : 'descending' : 'none');
    }
    this.#follow();
  }

  // sort cycles through largest first, smallest first, and order of arrival.
  #sort(key) {
    const search = new URLSearchParams(this.#search);
    const [sort, order] = [search.get('sort'), search.get('order')];
    search.delete('sort');
    search.delete('order');
    if (sort !== key) search.set('sort', key);
    else if (order !== 'asc') { search.set('sort', key); search.set('order', 'asc'); }
    this.search(search);
    history.replaceState(null, '', this.hash);
  }

  #follow() {
    this.#stop.abort();
    const stop = this.#stop = new AbortController();
    const polled = new Polled(`api/traces?${toAPI(this.#search, this.#limit)}`);
    let first = true;
    poll(async () => {
      const answer = await polled.next(stop.signal);
      if (stop.signal.aborted) return;
      this.#page.state('Live');
      this.#wrong.hidden = true;
      if (answer) this.#update(answer, first);
      else this.#age();
      first = false;
    }, (error) => {
      this.#wrong.hidden = error.status !== 400;
      this.#wrong.textContent = error.message;
      if (error.status !== 400) this.#page.state(`Not connected: ${error.message}`);
    }, stop.signal);
  }

  #offer(select, all, names, chosen) {
    const offered = chosen && !names.includes(chosen) ? [...names, chosen] : names;
    const key = JSON.stringify(offered);
    if (this.#options[select.name] !== key) {
      this.#options[select.name] = key;
      select.replaceChildren(el('option', { value: '' }, all), ...offered.toSorted().map((name) => el('option', { value: name }, name)));
    }
    select.value = chosen;
  }

  // update shows an answer. While somebody reads the list, its rows stay in place, and new
  // traces are added only on a click.
  #update(answer, first) {
    this.#latest = answer;
    learn(answer.services);
    this.#offer(this.#fields.service, 'All services', answer.services, this.#fields.service.value);
    this.#offer(this.#fields.queue, 'All queues', answer.queues, this.#fields.queue.value);
    const reading = this.#selected || scrollY > 8 || this.#body.matches(':hover');
    if (first || !reading) return this.#showAll();
    for (const summary of answer.traces) {
      const known = this.#rows.get(summary.id);
      if (known) this.#fill(known, summary);
    }
    const fresh = answer.traces.filter((summary) => !this.#rows.has(summary.id)).length;
    this.#fresh.textContent = `Show ${count(fresh, 'new trace')}`;
    this.#fresh.hidden = fresh === 0;
    this.#finish();
  }

  #showFresh() {
    this.#select('');
    this.#showAll();
    scrollTo({ top: 0 });
  }

  #showMore() {
    this.#limit += pageSize;
    this.#follow();
  }

  #showAll() {
    const rows = new Map();
    for (const summary of this.#latest.traces) {
      const known = this.#rows.get(summary.id) ?? { row: this.#newRow(summary.id) };
      this.#fill(known, summary);
      rows.set(summary.id, known);
    }
    this.#rows = rows;
    if (!rows.has(this.#selected)) this.#selected = '';
    this.#place([...rows.values()].map(({ row }) => row));
    if (this.#from) this.#select(rows.has(this.#from) ? this.#from : ''); // Back from a trace: select it.
    this.#from = '';
    this.#fresh.hidden = true;
    this.#finish();
  }

  // place puts rows in order. It does not touch rows that are in place already, because a
  // row that is moved loses the focus.
  #place(rows) {
    const wanted = new Set(rows);
    for (const row of [...this.#body.children]) if (!wanted.has(row)) row.remove();
    rows.forEach((row, i) => {
      if (this.#body.children[i] !== row) this.#body.insertBefore(row, this.#body.children[i] ?? null);
    });
  }

  #finish() {
    const { traces, found } = this.#latest;
    this.#count.textContent = found === traces.length ? count(found, 'trace') : `${this.#search.get('sort') ? 'the first' : 'the latest'} ${traces.length} of ${count(found, 'trace')}`;
    this.#more.hidden = found <= traces.length;
    this.#more.textContent = `Show ${pageSize} more`;
    this.#table.hidden = this.#rows.size === 0;
    this.#empty.hidden = this.#rows.size > 0;
    if (this.#rows.size === 0) this.#showEmpty();
  }

  #showEmpty() {
    if (this.#search.size > 0) {
      this.#empty.replaceChildren(el('h2', {}, 'No traces match'),
        el('p', {}, el('button', { type: 'button', click: () => this.#clear() }, 'Clear the search')));
      return;
    }
    const line = `export OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=${location.origin}/v1/traces`;
    this.#empty.replaceChildren(el('h2', {}, 'No traces yet'),
      el('p', {}, 'Send them here over OTLP/HTTP. Most OpenTelemetry SDKs read this variable:'),
      el('p', { class: 'command' }, el('code', {}, line), copyButton(line, 'the line')),
      el('p', { class: 'hint' }, 'Some also need ', el('code', {}, 'OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf'), '.'),
      el('p', { class: 'hint' }, 'This page receives traces only. Set ', el('code', {}, 'OTEL_METRICS_EXPORTER=none OTEL_LOGS_EXPORTER=none'),
        ' to send nothing else.'),
      el('p', { class: 'hint' }, 'Or open a saved trace: drop an OTLP JSON file anywhere on this page.'));
  }

  #clear() {
    this.#fields.q.value = '';
    this.#fields.q.blur();
    location.hash = '#/';
  }

  #newRow(id) {
    return el('tr', {
      'data-trace': id,
      click: (event) => {
        if (!event.target.closest('a, button') && !String(getSelection())) location.hash = `#/trace/${id}`;
      },
    });
  }

  #fill(known, summary) {
    if (JSON.stringify(known.summary) === JSON.stringify(summary)) return;
    known.summary = summary;
    const focused = known.row.contains(document.activeElement);
    known.row.replaceChildren(...cells(summary));
    known.row.classList.toggle('failed', summary.errors > 0);
    if (focused) known.row.querySelector('a').focus();
  }

  // age updates how long ago the traces began.
  #age() {
    for (const { row, summary } of this.#rows.values()) {
      const text = ago(summary.start);
      const cell = row.querySelector('.ago');
      if (cell.textContent !== text) cell.textContent = text;
    }
  }

  #select(id) {
    this.#rows.get(this.#selected)?.row.removeAttribute('aria-selected');
    this.#selected = id;
    const row = this.#rows.get(id)?.row;
    row?.setAttribute('aria-selected', 'true');
    row?.querySelector('a').focus({ preventScroll: true });
    row?.scrollIntoView({ block: 'nearest' });
  }

  key(event) {
    const { q } = this.#fields;
    const ids = [...this.#rows.keys()];
    const at = ids.indexOf(this.#selected);
    const go = (to) => ids.length > 0 && this.#select(ids[Math.max(0, Math.min(to, ids.length - 1))]);
    if (event.target === q && ['ArrowDown', 'Enter'].includes(event.key)) go(0);
    else if (event.target === q && event.key === 'Escape') q.blur();
    else if (isTyping(event)) return;
    else if (event.key === '/') { q.focus(); q.select(); }
    else if (event.key === 'j' || event.key === 'ArrowDown') go(at + 1);
    else if (event.key === 'k' || event.key === 'ArrowUp') go(at < 0 ? 0 : at - 1);
    else if (event.key === 'Home') go(0);
    else if (event.key === 'End') go(ids.length - 1);
    else if (event.key === 'Escape' && this.#selected) { document.activeElement.blur(); this.#select(''); }
    else return; // Enter follows the link that has the focus.
    event.preventDefault();
  }
}

function cells(summary) {
  const dot = (name) => el('span', { class: `dot ${colorOf(name)}`, title: name });
  const services = summary.services.slice(0, 12);
  return [
    el('td', { class: 'name' },
      el('div', { class: 'title' }, dot(summary.service),
        el('a', { href: `#/trace/${summary.id}` }, summary.name),
        el('span', { class: 'service' }, summary.service)),
      el('div', { class: 'beneath' }, el('code', {}, summary.id.slice(0, 8)),
        el('span', { class: 'services', title: services.join(', ') }, services.map(dot)),
        summary.queues.length > 0 && el('span', { class: 'queues' }, summary.queues.slice(0, 6).join(' · ')) || null)),
    el('td', { class: 'started' }, el('div', {}, clock(summary.start)), el('div', { class: 'ago' }, ago(summary.start))),
    el('td', { class: 'number' }, duration(summary.duration)),
    el('td', { class: 'number waited' }, summary.waited > 0 ? `${summary.waitedUpTo ? '≤ ' : ''}${duration(summary.waited)}` : '',
      summary.notConsumed ? el('div', { class: 'badge odd', title: 'Messages that nothing has consumed' }, `${summary.notConsumed} not consumed`) : null,
      summary.scheduled ? el('div', { class: 'badge', title: 'Messages that are not due yet, and the time until the next one is' },
        `${summary.scheduled > 1 ? `${summary.scheduled} ` : ''}due ${clockSeconds(summary.nextDue)}`) : null),
    el('td', { class: 'number spans' }, summary.spans.toLocaleString('en'),
      summary.dropped > 0 ? el('div', { class: 'ago' }, `${summary.dropped.toLocaleString('en')} dropped`) : null),
    el('td', { class: 'number' }, summary.errors > 0 ? el('span', { class: 'errors' }, summary.errors.toLocaleString('en')) : ''),
  ];
}
