// One trace: its facts, its waterfall, and the details of a span.
import { learn } from './color.js';
import { Details } from './details.js';
import { copyButton, el, isTyping } from './dom.js';
import { clock, count, duration } from './format.js';
import { Polled, poll, tracePath } from './server.js';
import { Waterfall } from './waterfall.js';

export const showTrace = (page) => new TraceView(page);

class TraceView {
  #page;
  #id;
  #span; // the id of the span whose details are open, if any
  #pushed = false; // whether opening the details added an entry to the history
  #data;
  #stop = new AbortController();
  #head = el('div', { class: 'head' });
  #find = el('input', {
    type: 'search', class: 'find', placeholder: 'Find in trace', spellcheck: false, autocomplete: 'off',
    'aria-label': 'Find spans by name, service or error', 'aria-keyshortcuts': '/',
  });
  #message = el('p', { class: 'message' }, 'Loading…');
  #waterfall;
  #details;

  constructor(page) {
    this.#page = page;
    this.#id = page.target.trace;
    this.#span = page.target.span;
    this.#waterfall = new Waterfall((span) => this.#open(span));
    this.#details = new Details(this.#id, () => this.#closeDetails());
    document.title = `Trace ${this.#id.slice(0, 8)} · mqtrace`;
    page.root.append(el('section', { class: 'trace' }, this.#head, this.#message,
      el('div', { class: 'panes' }, this.#waterfall.element, this.#details.element)));
    this.#waterfall.element.hidden = true;
    this.#follow();
  }

  get trace() {
    return this.#id;
  }

  close() {
    this.#stop.abort();
    this.#waterfall.close();
    this.#details.show('');
  }

  route(target) {
    if (target.trace !== this.#id) return false;
    this.#span = target.span;
    this.#showSpan();
    return true;
  }

  #follow() {
    const polled = new Polled(`${tracePath(this.#id)}/waterfall`);
    poll(async () => {
      const data = await polled.next(this.#stop.signal);
      if (this.#stop.signal.aborted) return;
      this.#page.state('Live');
      if (data) this.#update(data);
    }, (error) => {
      const lost = error.status === 404;
      this.#page.state(lost && this.#data ? 'The server has dropped this trace to make room for newer ones' : lost ? '' : `Not connected: ${error.message}`);
      this.#message.textContent = this.#data ? '' : `${error.message[0].toUpperCase()}${error.message.slice(1)}.`;
      if (!this.#data) this.#head.replaceChildren(this.#back(), el('h1', {}, `Trace ${this.#id.slice(0, 8)}`));
    }, this.#stop.signal);
  }

  #update(data) {
    const first = !this.#data;
    this.#data = data;
    learn(data.colors);
    this.#showHead();
    this.#message.hidden = true;
    this.#waterfall.element.hidden = false;
    this.#waterfall.update(data);
    if (first) this.#showSpan();
    else this.#details.refresh();
    if (first && !this.#span) this.#waterfall.focus();
  }

  #back() {
    return el('a', { class: 'back', href: this.#page.listHash, title: 'All traces (Esc)' }, '← Traces');
  }

  #showHead() {
    const t = this.#data;
    document.title = `${t.name} · mqtrace`;
    const fact = (text, name = '') => el('li', { class: name }, text);
    const facts = el('ul', { class: 'facts' },
      fact(clock(t.start)), fact(duration(t.duration), 'strong'),
      t.waited > 0 ? fact(`${duration(t.waited)} waiting in queues`, 'waiting') : null,
      fact(count(t.spans, 'span')), fact(count(t.services.length, 'service')),
      t.errors > 0 ? fact(count(t.errors, 'error'), 'bad') : null,
      t.dropped > 0 ? fact(`${count(t.dropped, 'span')} dropped: the trace exceeds the limit of this server`, 'waiting') : null,
      el('li', { class: 'id' }, el('code', {}, t.id), copyButton(t.id, 'the trace id')));
    const save = el('a', {
      class: 'button', href: tracePath(t.id), download: `trace-${t.id}.json`, title: 'Save the trace as OTLP JSON',
    }, 'Save');
    const hadFocus = document.activeElement === this.#find;
    this.#head.replaceChildren(el('div', { class: 'first' }, this.#back(), el('h1', {}, t.name), el('span', { class: 'service' }, t.service),
      el('span', { class: 'spring' }), this.#find, save), facts);
    if (hadFocus) this.#find.focus();
  }

  #showSpan() {
    if (this.#data && this.#span) this.#waterfall.reveal(this.#span);
    this.#details.show(this.#data ? this.#span : '');
    this.#waterfall.layout();
    if (this.#data && this.#span) this.#waterfall.scrollToCursor();
  }

  // open shows the details of a span. Going from span to span keeps one entry in the
  // history, so that Back closes the details.
  #open(span) {
    if (span === this.#span) return;
    const hash = `#/trace/${this.#id}/span/${span}`;
    if (this.#span) {
      history.replaceState(null, '', hash);
      this.#span = span;
      this.#showSpan();
    } else {
      this.#pushed = true;
      location.hash = hash;
    }
  }

  #closeDetails() {
    if (this.#pushed) {
      this.#pushed = false;
      history.back();
    } else {
      history.replaceState(null, '', `#/trace/${this.#id}`);
      this.#span = undefined;
      this.#showSpan();
    }
    this.#waterfall.focus();
  }

  key(event) {
    if (event.target === this.#find) {
      if (event.key === 'Enter') this.#waterfall.find(this.#find.value, event.shiftKey ? -1 : 1);
      else if (event.key === 'Escape') this.#waterfall.focus();
      else return;
    } else if (isTyping(event)) {
      return;
    } else if (event.key === '/') {
      this.#find.focus();
      this.#find.select();
    } else if (event.key === 'Escape') {
      if (this.#span) this.#closeDetails();
      else location.hash = this.#page.listHash;
    } else if (!this.#data || event.target.closest('a, button, aside') && !['j', 'k', 'e', 'z'].includes(event.key)) {
      return; // The key is for the link, the button or the scrolling pane.
    } else if (event.key === 'Enter' || event.key === ' ') {
      this.#open(this.#waterfall.cursor);
    } else if (!this.#waterfall.key(event.key)) {
      return;
    } else if (this.#span) {
      this.#open(this.#waterfall.cursor); // The details follow the cursor.
    }
    event.preventDefault();
  }
}
