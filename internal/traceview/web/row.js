// One line of the waterfall: a span, or below it what is to be seen without a click:
// why it failed, what is odd about it, where its links lead.
import { colorOf } from './color.js';
import { el } from './dom.js';
import { count, duration } from './format.js';

const maxIndent = 24; // levels; deeper ones are numbered

// linesOf returns the lines of a span.
export function linesOf(row, children, collapsed) {
  const lines = [{ kind: 'span', row, children, collapsed }];
  if (row.error) lines.push({ kind: 'error', row, text: row.error });
  for (const text of row.notes ?? []) lines.push({ kind: 'note', row, text });
  for (const link of row.links ?? []) lines.push({ kind: 'link', row, link });
  if (row.moreLinks > 0) lines.push({ kind: 'note', row, text: `${count(row.moreLinks, 'more link')} in the span's details` });
  return lines;
}

export function makeRow(line, trace) {
  const lane = trace.lanes[line.row.lane - 1];
  const band = lane && place(el('span', { class: lane.dead ? 'lane dead' : 'lane', title: lane.text }), lane.from, lane.to - lane.from, trace.duration);
  const element = line.kind === 'span' ? spanRow(line, trace, band) : detailRow(line, band);
  element.firstChild.style.setProperty('--level', Math.min(line.row.depth, maxIndent));
  return element;
}

// place puts an element on the time axis.
function place(element, from, length, total) {
  element.style.left = `${total > 0 ? Math.max(0, from / total * 100) : 0}%`;
  element.style.width = `${total > 0 ? length / total * 100 : 0}%`;
  return element;
}

function detailRow(line, band) {
  const { kind, row } = line;
  const text = kind === 'link' ? linkText(line.link) : line.text;
  const sign = { error: '✖ ', note: '⚠ ', link: '' }[kind];
  return el('div', { class: `row detail ${kind}`, role: 'none', 'data-span': row.id },
    el('div', { class: 'what' }, kind === 'link' ? text : el('span', { class: 'text', title: line.text }, sign + text)),
    el('div', { class: 'when' }, band ?? null));
}

// linkText is a link's other end, to jump to.
export function linkText(link) {
  const name = link.name || `span ${link.span.slice(0, 8)}`;
  return el('a', {
    class: 'text', href: `#/trace/${link.trace}/span/${link.span}`,
    title: `${link.in ? 'Linked from' : 'Links to'} span ${link.span} of trace ${link.trace}`,
  }, link.in ? '↙ linked from ' : '↗ links to ', el('b', {}, name),
  link.service ? ` · ${link.service}` : '', ` · trace ${link.trace.slice(0, 8)}`, link.here ? '' : ' (not received)');
}

function spanRow({ row, children, collapsed }, trace, band) {
  const what = el('div', { class: 'what' },
    el('span', { class: 'twist', 'aria-hidden': 'true' }, children === 0 ? '' : collapsed ? '▸' : '▾'));
  const attributes = {
    class: `row span ${colorOf(row.service)}${row.failed ? ' failed' : ''}${row.missing ? ' missing' : ''}`, role: 'treeitem',
    id: `row-${row.id}`, 'data-span': row.id, 'aria-level': row.depth + 1, 'aria-selected': 'false',
    'aria-expanded': children > 0 ? String(!collapsed) : null, 'aria-label': spokenRow(row),
  };
  if (row.missing) {
    what.append(el('span', { class: 'text' }, `parent span ${row.id.slice(0, 8)} has not been received`));
    return el('div', attributes, what, el('div', { class: 'when' }));
  }
  what.append(el('span', { class: 'mark' }),
    row.depth > maxIndent ? el('span', { class: 'level' }, `${row.depth}`) : '',
    el('span', { class: 'text name', title: row.name }, row.failed ? el('span', { class: 'cross' }, '✖ ') : '', row.name),
    ...(row.badges ?? []).map(makeBadge),
    el('span', { class: 'service' }, row.service || 'no service'),
    collapsed ? el('span', { class: 'hidden-rows' }, `+${children.toLocaleString('en')}`) : '');
  return el('div', attributes, what, el('div', { class: 'when' }, band ?? null, ...bars(row, trace.duration)));
}

export const makeBadge = (badge) => el('span', { class: `badge ${badge.tone ?? ''}`, title: badge.text }, badge.text);

// spokenRow is a span for those who hear it.
function spokenRow(row) {
  if (row.missing) return `parent span ${row.id} has not been received`;
  const parts = [row.name, row.service, row.kind, row.duration === null ? 'not ended' : duration(row.duration)];
  if (row.wait) parts.push(`${row.wait.text} ${duration(row.wait.duration)}`);
  parts.push(...(row.badges ?? []).map((badge) => badge.text));
  if (row.failed) parts.push(`failed: ${row.error}`);
  if (row.links) parts.push(count(row.links.length + (row.moreLinks ?? 0), 'link'));
  return parts.filter(Boolean).join(', ');
}

// bars are the wait of a span's message, hatched, the span itself, and how long both
// took, where there is room for it.
function bars(row, total) {
  if (row.start === null) return [el('span', { class: 'took inside' }, 'no time')];
  const length = row.duration ?? 0;
  const out = [];
  let from = row.start;
  if (row.wait) {
    from = Math.min(from, row.wait.start);
    out.push(place(el('span', { class: 'wait', title: `${row.wait.text} ${duration(row.wait.duration)}` }), row.wait.start, row.wait.duration, total));
  }
  out.push(place(el('span', { class: row.duration === null ? 'bar open' : 'bar' }), row.start, length, total));
  const took = el('span', { class: 'took' },
    el('span', {}, row.duration === null ? 'not ended' : duration(length)),
    row.wait ? el('span', { class: 'waited' }, `${row.wait.text} ${duration(row.wait.duration)}`) : '');
  label(took, total > 0 ? from / total : 0, total > 0 ? (row.start + length) / total : 0);
  out.push(took);
  return out;
}

// label puts text where there is more room: behind what goes from begin to end of the
// axis, before it, or, where it takes all, on it.
function label(text, begin, end) {
  const percent = (share) => `${(share * 100).toFixed(3)}%`;
  if (1 - end >= Math.min(begin, 0.3)) {
    text.style.left = `calc(${percent(end)} + 6px)`;
    text.style.maxWidth = `calc(${percent(1 - end)} - 6px)`;
  } else if (begin > 0.1) {
    text.style.right = `calc(${percent(1 - begin)} + 6px)`;
    text.style.maxWidth = `calc(${percent(begin)} - 6px)`;
  } else {
    text.classList.add('inside');
    text.style.right = `calc(${percent(1 - end)} + 4px)`;
  }
}
