// Numbers and times as people read them.

const units = [[1e9, 's'], [1e6, 'ms'], [1e3, 'µs'], [1, 'ns']];

const threeDigits = (n) => n < 9.995 ? n.toFixed(2) : n < 99.95 ? n.toFixed(1) : n.toFixed(0);
const pair = (n, a, b, unitA, unitB) => {
  const whole = Math.round(n / b);
  return `${Math.floor(whole / (a / b))}${unitA}${String(whole % (a / b)).padStart(2, '0')}${unitB}`;
};

// duration formats nanoseconds as the terminal's tree does: 12.3ms, 1.20s, 2m03s.
export function duration(ns) {
  if (ns <= 0) return '0';
  if (ns >= 86400e9) return pair(ns, 86400e9, 3600e9, 'd', 'h');
  if (ns >= 3599.5e9) return pair(ns, 3600e9, 60e9, 'h', 'm');
  if (ns >= 59.995e9) return pair(ns, 60e9, 1e9, 'm', 's');
  const [size, unit] = units.find(([size]) => ns >= size * 0.9995) ?? units.at(-1);
  return unit === 'ns' ? `${Math.round(ns)}ns` : threeDigits(ns / size) + unit;
}

// tick formats a duration without trailing zeros.
export const tick = (ns) => duration(ns).replace(/\.0+(?=\D)/, '').replace(/(\.\d*?)0+(?=\D)/, '$1');

// ticks returns round durations from 0 to length, about as many as wanted.
export function ticks(length, wanted) {
  if (length <= 0) return [0];
  const rough = length / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  return Array.from({ length: Math.floor(length / step) + 1 }, (_, i) => i * step);
}

export const count = (n, noun) => `${n.toLocaleString('en')} ${noun}${n === 1 ? '' : 's'}`;

const pad = (n, digits = 2) => String(n).padStart(digits, '0');

// known reports whether a time is set: Go's zero time is in the year 1.
const known = (time) => time && !time.startsWith('0001-');

// clock formats a time as the local time of day, with the date unless it is today.
export function clock(time) {
  if (!known(time)) return '—';
  const d = new Date(time);
  const day = d.toDateString() === new Date().toDateString() ? '' : `${d.getFullYear()}-${pad(d.getMonth() + 1)}-${pad(d.getDate())} `;
  return `${day}${pad(d.getHours())}:${pad(d.getMinutes())}:${pad(d.getSeconds())}.${pad(d.getMilliseconds(), 3)}`;
}

// clockSeconds is clock without milliseconds.
export const clockSeconds = (time) => clock(time).replace(/\.\d+$/, '');

// ago formats the time since then.
export function ago(time) {
  if (!known(time)) return '';
  const seconds = Math.round((Date.now() - new Date(time)) / 1000);
  if (seconds < 0) return '';
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}
