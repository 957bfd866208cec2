// The time axis of a trace: which part of it is shown, and where in it a time lies.
import { el } from './dom.js';
import { tick, ticks } from './format.js';

export class Axis {
  // What is shown, in nanoseconds from the start of the trace, and how wide that is in
  // pixels.
  from = 0;
  length = 0;
  width = 0;

  show(from, length) {
    this.from = from;
    this.length = length;
  }

  // share is where a time lies: 0 at the left end of the axis, 1 at the right.
  share(at) {
    return this.length > 0 ? Math.min(1, Math.max(0, (at - this.from) / this.length)) : 0;
  }

  // misses is -1 for what ends before the part that is shown, and 1 for what begins
  // after it.
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

  // marks are the axis's labels, the first of them at the left, about one to 110 pixels.
  // In a part of the trace the others count from where it begins: three digits do not tell
  // a millisecond from the next after a minute.
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
