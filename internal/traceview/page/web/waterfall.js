// The rows of a trace on a time axis. Only visible rows are in the document, so that a
// trace of many thousand spans stays responsive.
import { Axis } from './axis.js';
import { el } from './dom.js';
import { linesOf, makeRow } from './row.js';

const rowHeight = 28;
const spare = 12; // rows that are drawn above and below the visible ones

const legend = () => [['wait', 'waiting in a queue'], ['lane', 'attempt'], ['lane dead', 'dead letter']].map(([name, text]) =>
  el('span', { class: 'legend' }, el('span', { class: name }), text));

export class Waterfall {
  element;
  #axis = new Axis();
  #marks = el('div', { class: 'when', 'aria-hidden': 'true' });
  #whole = el('button', { type: 'button', class: 'whole', hidden: true, click: () => this.#zoom('') }, 'Whole trace');
  #zoomed = ''; // the span that the axis is zoomed to, if any
  #scroller;
  #canvas = el('div', { class: 'canvas', role: 'none' });
  #opened;
  #data;
  #children = []; // the number of rows under each of the server's rows
  #index = new Map(); // of the server's rows, by span id
  #lines = []; // what is shown: { kind, row, ... }
  #lineOf = new Map(); // the line of a span, by id
  #collapsed = new Set();
  #cursor = '';
  #drawn = new Map(); // elements, by line
  #resized;
  #closed = new AbortController();
  #pressed = ''; // the span in whose time column the last click, or double click, began

  constructor(opened) {
    this.#opened = opened;
    this.#scroller = el('div', {
      class: 'scroller', role: 'tree', tabIndex: 0, 'aria-label': 'Spans', scroll: () => this.#draw(), click: (event) => this.#click(event),
    }, this.#canvas);
    this.element = el('div', { class: 'waterfall' },
      el('div', { class: 'axis' }, el('div', { class: 'what' }, el('span', {}, 'Span'), this.#whole, ...legend()), this.#marks), this.#scroller);
    this.#resized = new ResizeObserver(() => this.layout());
    this.#resized.observe(this.#scroller);
    const { signal } = this.#closed;
    document.addEventListener('mousedown', (event) => this.#press(event), { signal });
    document.addEventListener('click', (event) => this.#secondClick(event), { signal, capture: true });
    document.addEventListener('mouseup', (event) => this.#release(event), { signal });
  }

  close() {
    this.#resized.disconnect();
    this.#closed.abort();
  }

  focus() {
    this.#scroller.focus({ preventScroll: true });
  }

  get cursor() {
    return this.#cursor;
  }

  // update shows a new version of the trace. The line at the top stays in place.
  update(data) {
    const top = this.#lines[Math.floor(this.#scroller.scrollTop / rowHeight)];
    const offset = this.#scroller.scrollTop % rowHeight;
    this.#data = data;
    const { rows } = data;
    this.#index = new Map(rows.map((row, i) => [row.id, i]));
    this.#children = new Array(rows.length).fill(0);
    const parents = [];
    rows.forEach((row, i) => {
      while (parents.length > row.depth) this.#children[parents.at(-1)] = i - parents.pop() - 1;
      parents.push(i);
    });
    while (parents.length > 0) this.#children[parents.at(-1)] = rows.length - parents.pop() - 1;
    if (!this.#index.has(this.#cursor)) this.#cursor = rows[0]?.id ?? '';
    this.#arrange();
    const line = top && this.#lineOf.get(top.row.id);
    if (line !== undefined && this.#scroller.scrollTop > 0) this.#scroller.scrollTop = line * rowHeight + offset;
  }

  // arrange determines the lines.
  #arrange() {
    const { rows } = this.#data;
    this.#aim();
    this.#lines = [];
    this.#lineOf.clear();
    for (let i = 0; i < rows.length; i++) {
      this.#lineOf.set(rows[i].id, this.#lines.length);
      const collapsed = this.#collapsed.has(rows[i].id);
      this.#lines.push(...linesOf(rows[i], this.#children[i], collapsed));
      if (collapsed) i += this.#children[i];
    }
    this.#canvas.style.height = `${this.#lines.length * rowHeight}px`;
    this.#scroller.setAttribute('aria-rowcount', this.#lines.length);
    this.#clear();
    this.layout();
  }

  #clear() {
    const focused = this.#canvas.contains(document.activeElement);
    this.#drawn.clear();
    this.#canvas.replaceChildren();
    if (focused) this.focus();
  }

  // layout fits the axis and the visible rows to the size of the window.
  layout() {
    if (!this.#data) return;
    this.element.style.setProperty('--bar', `${this.#scroller.offsetWidth - this.#scroller.clientWidth}px`);
    const width = this.#marks.clientWidth;
    if (width !== this.#axis.width) this.#clear();
    this.#axis.width = width;
    const { elements, first, step } = this.#axis.marks();
    this.#marks.replaceChildren(...elements);
    this.element.style.setProperty('--first', `${first * 100}%`);
    this.element.style.setProperty('--step', `${step * 100}%`);
    this.#draw();
  }

  // zoom zooms to a span and the spans under it or, without an id, to the whole trace.
  #zoom(id) {
    this.#zoomed = id;
    this.#arrange();
    this.focus();
  }

  #aim() {
    const at = this.#index.get(this.#zoomed);
    if (at === undefined) this.#zoomed = '';
    const rows = this.#zoomed ? this.#data.rows.slice(at, at + 1 + this.#children[at]).filter((row) => row.start !== null) : [];
    const from = Math.min(...rows.map((row) => Math.min(row.start, row.wait?.start ?? row.start)));
    const to = Math.max(...rows.map((row) => row.start + (row.duration ?? 0)));
    if (to > from) this.#axis.show(from, to - from);
    else this.#axis.show(0, this.#data.duration);
    this.#whole.hidden = to <= from;
  }

  #draw() {
    const first = Math.max(0, Math.floor(this.#scroller.scrollTop / rowHeight) - spare);
    const end = Math.min(this.#lines.length, Math.ceil((this.#scroller.scrollTop + this.#scroller.clientHeight) / rowHeight) + spare);
    for (const [i, element] of this.#drawn) {
      if (i >= first && i < end || element.contains(document.activeElement)) continue;
      element.remove();
      this.#drawn.delete(i);
    }
    for (let i = first; i < end; i++) {
      if (this.#drawn.has(i)) continue;
      const element = makeRow(this.#lines[i], this.#data, this.#axis);
      element.style.top = `${i * rowHeight}px`;
      this.#drawn.set(i, element);
      this.#canvas.append(element);
    }
    this.#mark();
  }

  // mark shows where the cursor is.
  #mark() {
    this.#canvas.querySelector('[aria-selected=true]')?.setAttribute('aria-selected', 'false');
    const row = this.#drawn.get(this.#lineOf.get(this.#cursor));
    row?.setAttribute('aria-selected', 'true');
    if (row) this.#scroller.setAttribute('aria-activedescendant', row.id);
  }

  #click(event) {
    const row = event.target.closest('[data-span]');
    if (!row || event.target.closest('a')) return;
    const { span } = row.dataset;
    if (event.target.closest('.twist') && this.#children[this.#index.get(span)] > 0) {
      this.#cursor = span;
      this.#toggle(span, !this.#collapsed.has(span));
    } else if (this.#isSpan(span)) {
      this.#cursor = span;
      this.#mark();
      this.#opened(span);
    }
  }

  // The first click of a double click opens the details, which moves, redraws or covers the
  // rows. So the second click may be on another element, and counts for the span of the
  // first. The browser sends no dblclick event if the element of the second press is gone
  // before its release.
  #press(event) {
    if (event.button !== 0) return;
    if (event.detail > 1) {
      if (this.#pressed) event.preventDefault(); // would select a word of the details
      return;
    }
    this.#pressed = event.target.closest('.when')?.closest('[data-span]')?.dataset.span ?? '';
  }

  #secondClick(event) {
    if (event.detail < 2 || !this.#pressed) return;
    event.preventDefault();
    event.stopPropagation();
  }

  #release(event) {
    if (event.button === 0 && event.detail === 2 && this.#pressed) this.#zoom(this.#zoomed === this.#pressed ? '' : this.#pressed);
  }

  #isSpan(id) {
    return !this.#data.rows[this.#index.get(id)]?.missing;
  }

  #toggle(id, collapse) {
    if (collapse) this.#collapsed.add(id);
    else this.#collapsed.delete(id);
    this.#arrange();
  }

  // reveal puts the cursor on a span and expands its ancestors.
  reveal(id) {
    const at = this.#index.get(id);
    if (at === undefined) return;
    this.#cursor = id;
    let { depth } = this.#data.rows[at];
    for (let i = at - 1; i >= 0 && depth > 0; i--) {
      const row = this.#data.rows[i];
      if (row.depth >= depth) continue;
      depth = row.depth;
      this.#collapsed.delete(row.id);
    }
    this.#arrange();
    this.scrollToCursor();
  }

  scrollToCursor() {
    const top = this.#lineOf.get(this.#cursor) * rowHeight;
    const { scrollTop, clientHeight } = this.#scroller;
    if (top < scrollTop || top + rowHeight > scrollTop + clientHeight) {
      const near = top < scrollTop ? top - rowHeight : top + 2 * rowHeight - clientHeight;
      const far = Math.abs(top - scrollTop) > 2 * clientHeight;
      this.#scroller.scrollTop = far ? top - clientHeight / 2 : near;
    }
    this.#draw();
  }

  // find goes to the next span with the text in its name, service, error or id.
  find(text, direction) {
    const wanted = text.trim().toLowerCase();
    if (wanted) this.#next((row) => [row.name, row.service, row.error, row.id].some((field) => field?.toLowerCase().includes(wanted)), direction);
  }

  #next(holds, direction) {
    const { rows } = this.#data;
    const from = this.#index.get(this.#cursor) ?? 0;
    for (let n = 1; n <= rows.length; n++) {
      const row = rows[(from + n * direction + rows.length * 2) % rows.length];
      if (!row.missing && holds(row)) return this.reveal(row.id);
    }
  }

  #step(direction) {
    let i = this.#lineOf.get(this.#cursor) + direction;
    while (this.#lines[i] && (this.#lines[i].kind !== 'span' || this.#lines[i].row.missing)) i += direction;
    if (this.#lines[i]) this.#cursor = this.#lines[i].row.id;
    else return false;
    return true;
  }

  // key handles a key, and reports whether it was one of the waterfall's.
  key(key) {
    const at = this.#index.get(this.#cursor);
    const row = this.#data.rows[at];
    if (!row) return false;
    const page = Math.max(1, Math.floor(this.#scroller.clientHeight / rowHeight) - 1);
    const steps = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1, PageDown: page, PageUp: -page, End: Infinity, Home: -Infinity }[key];
    if (steps) {
      for (let n = Math.abs(steps); n > 0 && this.#step(Math.sign(steps)); n--);
    } else if (key === 'ArrowLeft' && this.#children[at] > 0 && !this.#collapsed.has(row.id)) {
      this.#toggle(row.id, true);
    } else if (key === 'ArrowLeft') {
      const parent = this.#data.rows.slice(0, at).findLast((above) => above.depth < row.depth && !above.missing);
      if (parent) this.#cursor = parent.id;
    } else if (key === 'ArrowRight' && this.#collapsed.has(row.id)) {
      this.#toggle(row.id, false);
    } else if (key === 'ArrowRight') {
      if (this.#children[at] > 0) this.#step(1);
    } else if (key === 'z') {
      this.#zoom(this.#zoomed === row.id ? '' : row.id);
    } else if (key === 'e') {
      this.#next((candidate) => candidate.failed, 1);
    } else {
      return false;
    }
    this.scrollToCursor();
    return true;
  }
}
