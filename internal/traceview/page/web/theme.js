// Runs before the first paint, so that the page does not flash in the other theme.
'use strict';

const themes = {
  names: ['system', 'light', 'dark'],
  get current() {
    try {
      const stored = localStorage.getItem('theme');
      return this.names.includes(stored) ? stored : 'system';
    } catch { // Storage may be turned off.
      return 'system';
    }
  },
  set current(name) {
    document.documentElement.dataset.theme = name;
    try {
      localStorage.setItem('theme', name);
    } catch { /* The theme lasts until the page is closed. */ }
  },
  get next() {
    return this.names[(this.names.indexOf(this.current) + 1) % this.names.length];
  },
};
document.documentElement.dataset.theme = themes.current;
globalThis.themes = themes;
