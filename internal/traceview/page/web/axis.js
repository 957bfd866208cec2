// The time axis of a trace: which part of the trace is shown, and where a time is on it.
import { el } from './dom.js';
import { tick, ticks } from './format.js';

export class Axis {
  // The part that is shown, in nanoseconds from the start of the trace, and its width in
  // pixels.
  from = 0;
  length = 0;
  width = 0;

  show(from, length) {
    this.from = from;
    this.length = length;
  }

  // share returns the position of a time: 0 at the left end of the axis, 1 at the right.
  share(at) {
    return this.length > 0 ? Math.min(1, Math.max(0, (at - this.from) / this.length)) : 0;
  }

  // misses returns -1 for a period that ends before the part that is shown, 1 for one that
  // begins after it, and otherwise 0.
  misses(from, to) {
    return to < this.from ? -1 : from > this.from + this.length ? 1 : 0;
  }

  // place puts an element on the axis.
  place(element, from, length) {
    const begin = this.share(from);
    element.style.left = `${begin * 100}%`;
    element.style.width = `${(this.share(from + length) - begin) * 100}%`;
    return element;
  }

  // marks returns the axis's labels, about one for every 110 pixels. If only a part of the
  // trace is shown, all labels but the first count from its start: three digits cannot
  // distinguish milliseconds after a minute.
  marks() {
    const times = ticks(this.length, Math.max(2, Math.floor(this.width / 110))).map((t) => this.from + t);
    const elements = times.map((at, i) => {
      const label = this.from > 0 && i > 0 ? `+${tick(at - this.from)}` : tick(at);
      const mark = el('span', { class: this.share(at) > 0.93 ? 'tick last' : 'tick' }, label);
      mark.style.left = `${this.share(at) * 100}%`;
      return mark;
    });
    return { elements, first: this.share(times[0]), step: times.length > 1 ? this.share(times[1]) - this.share(times[0]) : 1 };
  }
}
