// One line of the waterfall: a span, or a line below it with its error, a note or a link.
import { colorOf } from './color.js';
import { el } from './dom.js';
import { count, duration } from './format.js';

const maxIndent = 24; // levels; deeper ones are numbered

// linesOf returns the lines of a span: its own and those below it.
export function linesOf(row, children, collapsed) {
  const lines = [{ kind: 'span', row, children, collapsed }];
  const parent = children > 0 && !collapsed; // of spans in the lines below
  if (row.error) lines.push({ kind: 'error', row, parent, text: row.error });
  for (const text of row.notes ?? []) lines.push({ kind: 'note', row, parent, text });
  for (const link of row.links ?? []) lines.push({ kind: 'link', row, parent, link });
  if (row.moreLinks > 0) lines.push({ kind: 'note', row, parent, text: `${count(row.moreLinks, 'more link')} in the span's details` });
  return lines;
}

export function makeRow(line, trace, axis) {
  const lane = trace.lanes[line.row.lane - 1];
  const band = lane && !axis.misses(lane.from, lane.to) &&
    axis.place(el('span', { class: lane.dead ? 'lane dead' : 'lane', title: lane.text }), lane.from, lane.to - lane.from);
  const element = line.kind === 'span' ? spanRow(line, axis, band || null) : detailRow(line, band || null);
  const level = Math.min(line.row.depth, maxIndent);
  element.firstChild.style.setProperty('--level', level);
  element.firstChild.style.setProperty('--guides', level + (line.kind !== 'span' && line.parent ? 1 : 0));
  return element;
}

function detailRow(line, band) {
  const { kind, row } = line;
  const text = kind === 'link' ? linkText(line.link) : line.text;
  const sign = { error: '✖ ', note: '⚠ ', link: '' }[kind];
  return el('div', { class: `row detail ${kind}`, role: 'none', 'data-span': row.id },
    el('div', { class: 'what' }, kind === 'link' ? text : el('span', { class: 'text', title: line.text }, sign + text)),
    el('div', { class: 'when' }, band));
}

// linkText returns a link to the span at the other end.
export function linkText(link) {
  const name = link.name || `span ${link.span.slice(0, 8)}`;
  return el('a', {
    class: 'text', href: `#/trace/${link.trace}/span/${link.span}`,
    title: `${link.in ? 'Linked from' : 'Links to'} span ${link.span} of trace ${link.trace}`,
  }, link.in ? '↙ linked from ' : '↗ links to ', el('b', {}, name),
  link.service ? ` · ${link.service}` : '', ` · trace ${link.trace.slice(0, 8)}`, link.here ? '' : ' (not received)');
}

function spanRow({ row, children, collapsed }, axis, band) {
  const what = el('div', { class: 'what' });
  const twist = el('span', { class: 'twist', 'aria-hidden': 'true' }, children === 0 ? '' : collapsed ? '▸' : '▾');
  const attributes = {
    class: `row span ${colorOf(row.service)}${row.failed ? ' failed' : ''}${row.missing ? ' missing' : ''}`, role: 'treeitem',
    id: `row-${row.id}`, 'data-span': row.id, 'aria-level': row.depth + 1, 'aria-selected': 'false',
    'aria-expanded': children > 0 ? String(!collapsed) : null, 'aria-label': spokenRow(row),
  };
  if (row.missing) {
    what.append(twist, el('span', { class: 'text' }, `parent span ${row.id.slice(0, 8)} has not been received`));
    return el('div', attributes, what, el('div', { class: 'when' }));
  }
  // If there is no room for the service, it wraps out of sight.
  what.append(el('div', { class: 'label' }, twist, el('span', { class: 'mark' }),
    row.depth > maxIndent ? el('span', { class: 'level' }, `${row.depth}`) : '',
    el('span', { class: 'text name', title: row.name }, row.failed ? el('span', { class: 'cross' }, '✖ ') : '', row.name),
    ...(row.badges ?? []).map(makeBadge),
    collapsed ? el('span', { class: 'hidden-rows' }, `+${children.toLocaleString('en')}`) : ''),
  el('span', { class: 'service' }, row.service || 'no service'));
  return el('div', attributes, what, el('div', { class: 'when' }, band, ...bars(row, axis)));
}

export const makeBadge = (badge) => el('span', { class: `badge ${badge.tone ?? ''}`, title: badge.text }, badge.text);

// spokenRow returns a span's text for screen readers.
function spokenRow(row) {
  if (row.missing) return `parent span ${row.id} has not been received`;
  const parts = [row.name, row.service, row.kind, row.duration === null ? 'not ended' : duration(row.duration)];
  if (row.wait) parts.push(`${row.wait.text} ${row.wait.took}`);
  parts.push(...(row.badges ?? []).map((badge) => badge.text));
  if (row.failed) parts.push(`failed: ${row.error}`);
  if (row.links) parts.push(count(row.links.length + (row.moreLinks ?? 0), 'link'));
  return parts.filter(Boolean).join(', ');
}

// bars returns the wait of a span's message, the span itself, and a label with the
// durations of both.
function bars(row, axis) {
  if (row.start === null) return [el('span', { class: 'took inside' }, 'no time')];
  const length = row.duration ?? 0;
  const from = Math.min(row.start, row.wait?.start ?? row.start);
  const missed = axis.misses(from, row.start + length);
  if (missed) return [el('span', { class: missed < 0 ? 'beyond before' : 'beyond' }, missed < 0 ? '◂' : '▸')];
  const out = [];
  if (row.wait) {
    out.push(axis.place(el('span', { class: 'wait', title: `${row.wait.text} ${row.wait.took}` }), row.wait.start, row.wait.duration));
  }
  out.push(axis.place(el('span', { class: row.duration === null ? 'bar open' : 'bar' }), row.start, length));
  const took = row.duration === null ? 'not ended' : duration(length);
  const waited = row.wait ? `${row.wait.text} ${row.wait.took}` : '';
  const text = el('span', { class: 'took' }, el('span', {}, took), waited && el('span', { class: 'waited' }, waited));
  const [begin, bar, end] = [from, row.start, row.start + length].map((at) => axis.share(at));
  placeLabel(text, { begin, bar, end, width: axis.width, letters: took.length + waited.length });
  out.push(text);
  return out;
}

// placeLabel puts text to the right of the period from begin to end, or to its left. If
// there is room on neither side, it goes on the wait if enough of that stays visible, else
// on the bar.
function placeLabel(text, { begin, bar, end, width, letters }) {
  const percent = (share) => `${(share * 100).toFixed(3)}%`;
  const needed = (letters * 6.5 + 26) / Math.max(width, 1);
  const fits = [1 - end, begin, (bar - begin) / 1.6, end - bar, bar - begin, end - begin].findIndex((room) => room >= needed);
  if (fits >= 2) {
    const onWait = fits === 2 || fits === 4;
    text.classList.add('inside');
    text.style.right = `calc(${percent(1 - (onWait ? bar : end))} + ${onWait ? 0 : 4}px)`;
  } else if (fits === 0 || fits < 0 && 1 - end >= begin) {
    text.style.left = `calc(${percent(end)} + 6px)`;
    text.style.maxWidth = `calc(${percent(1 - end)} - 6px)`;
  } else {
    text.style.right = `calc(${percent(1 - begin)} + 6px)`;
    text.style.maxWidth = `calc(${percent(begin)} - 6px)`;
  }
}
