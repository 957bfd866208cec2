// The pane with a span's details, beside the waterfall.
import { colorOf } from './color.js';
import { copyButton, el } from './dom.js';
import { clock, duration } from './format.js';
import { linkText, makeBadge } from './row.js';
import { getSpan } from './server.js';

export class Details {
  element;
  #trace;
  #span = '';
  #closed;
  #stop = new AbortController();
  #shown = '';

  constructor(trace, closed) {
    this.#trace = trace;
    this.#closed = closed;
    this.element = el('aside', { class: 'details', 'aria-label': 'Span', hidden: true, tabIndex: -1 });
  }

  // show loads and shows a span. Without one, it hides the pane.
  async show(span) {
    if (span === this.#span) return;
    this.#span = span ?? '';
    this.#shown = '';
    this.element.hidden = !this.#span;
    if (!this.#span) this.element.replaceChildren();
    this.element.scrollTop = 0;
    await this.refresh();
  }

  // refresh loads the span again, since there may be new links to it.
  async refresh() {
    this.#stop.abort();
    if (!this.#span) return;
    const stop = this.#stop = new AbortController();
    try {
      const span = await getSpan(this.#trace, this.#span, stop.signal);
      const text = JSON.stringify(span);
      if (stop.signal.aborted || text === this.#shown) return;
      this.#shown = text;
      this.element.replaceChildren(this.#close(), ...sections(span));
    } catch (error) {
      if (!stop.signal.aborted) this.element.replaceChildren(this.#close(), el('p', { class: 'message' }, error.message));
    }
  }

  #close() {
    return el('button', { type: 'button', class: 'close', 'aria-label': 'Close (Esc)', title: 'Close (Esc)', click: () => this.#closed() }, '×');
  }
}

function sections(span) {
  const { baggage, message, other } = sort(span.attributes);
  return [
    el('header', { class: colorOf(span.service) },
      el('h2', {}, span.name),
      el('p', { class: 'of' }, el('span', { class: 'mark' }), span.service || 'no service', span.kind ? ` · ${span.kind}` : ''),
      el('p', { class: 'badges' }, (span.badges ?? []).map(makeBadge))),
    span.failed ? el('p', { class: 'why' }, span.error) : null,
    ...(span.notes ?? []).map((text) => el('p', { class: 'note' }, text)),
    facts(span),
    section('Links', linkList(span)),
    section('Message', table(message)),
    section('Baggage and headers', table(baggage)),
    section('Attributes', table(other), span.droppedAttributes),
    section('Events', events(span.events), span.droppedEvents),
    section('Resource', table(span.resource)),
    section('Instrumentation', table([
      { key: 'scope', value: span.scope.name }, { key: 'version', value: span.scope.version }, { key: 'schema', value: span.scope.schemaUrl },
    ].filter(({ value }) => value), span.scope.attributes)),
  ].filter(Boolean);
}

// sort separates attributes of the message, and its baggage and headers, from the rest.
function sort(attributes) {
  const out = { baggage: [], message: [], other: [] };
  for (const attribute of attributes) {
    const { key, value } = attribute;
    if (/(^|\.)header\.baggage$|^baggage$/.test(key)) out.baggage.push(...members(value));
    else if (/^baggage\.|\.headers?\./.test(key)) out.baggage.push(attribute);
    else if (/^(messaging|mqtrace|asynq|rabbitmq)\./.test(key)) out.message.push(attribute);
    else out.other.push(attribute);
  }
  return out;
}

// members reads a baggage header, https://www.w3.org/TR/baggage/.
function members(header) {
  return header.split(',').map((member) => {
    const [pair] = member.trim().split(';');
    const at = pair.indexOf('=');
    let value = pair.slice(at + 1);
    try {
      value = decodeURIComponent(value);
    } catch { /* It is shown as it came. */ }
    return { key: at < 0 ? pair : pair.slice(0, at), value, type: 'baggage' };
  });
}

function section(title, content, dropped = 0) {
  if (!content && dropped === 0) return null;
  return el('section', {}, el('h3', {}, title), content ?? '', dropped > 0 ? el('p', { class: 'note' }, `${dropped.toLocaleString('en')} were dropped by the sender`) : null);
}

function facts(span) {
  const rows = [
    ['Started', span.begin ? clock(span.begin) + (span.start ? `  (+${duration(span.start)})` : '') : 'unknown'],
    ['Took', span.duration === null ? 'not ended' : duration(span.duration)],
    span.wait && ['Waited', `${span.wait.took}  (${span.wait.text})`],
    ['Status', span.status + (span.message && !span.error?.includes(span.message) ? `: ${span.message}` : '')],
    ['Span id', el('span', {}, el('code', {}, span.id), copyButton(span.id, 'the span id'))],
    span.parent && ['Parent', el('code', {}, span.parent)],
    span.traceState && ['Trace state', el('code', {}, span.traceState)],
    ['Flags', span.flags & 1 ? 'sampled' : 'not sampled'],
  ];
  return el('dl', { class: 'facts' }, rows.filter(Boolean).flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]));
}

function linkList(span) {
  if (!span.links) return span.droppedLinks > 0 ? el('p', { class: 'note' }, `${span.droppedLinks.toLocaleString('en')} were dropped by the sender`) : null;
  return el('ul', { class: 'links' }, span.links.map((link) => el('li', {}, linkText(link), table(link.attributes ?? []))),
    span.moreLinks > 0 ? el('li', {}, `and ${span.moreLinks.toLocaleString('en')} more`) : null);
}

function events(list) {
  if (list.length === 0) return null;
  return el('ul', { class: 'events' }, list.map((event) => el('li', {},
    el('div', { class: 'event' }, el('b', {}, event.name || '(no name)'), event.start === null ? '' : el('span', {}, `+${duration(event.start)}`)),
    table(event.attributes))));
}

// isSearchable reports whether a search can contain the attribute's value.
const isSearchable = ({ value, type }) => type && type !== 'baggage' && value.length <= 200 && !value.includes('"') && !value.includes('\n');

// breakable lets a key wrap after dots and underscores.
const breakable = (key) => key.split(/(?<=[._])/).flatMap((part) => [part, el('wbr')]);

function table(...lists) {
  const rows = lists.flat().filter(Boolean);
  if (rows.length === 0) return null;
  return el('dl', { class: 'attributes' }, rows.flatMap((attribute) => [
    el('dt', {}, breakable(attribute.key)),
    el('dd', { class: attribute.type ?? '', title: attribute.type ?? '' }, el('span', { class: 'value' }, attribute.value === '' ? '(empty)' : attribute.value),
      isSearchable(attribute) ? el('a', {
        class: 'similar', title: 'Find traces with this', 'aria-label': `Find traces with this ${attribute.key}`,
        href: `#/?${new URLSearchParams({ q: `"${attribute.key}=${attribute.value}"` })}`,
      }, '⌕') : null),
  ]));
}
