// The map: services and queues as a graph. Messages go from left to right.

const rowHeight = 34;
const boxWidth = 170;
const columnWidth = 290;

const svg = (name, attributes, ...children) => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};

// rankOf returns the column of each node: to the right of the nodes that its messages come
// from, unless they form a loop.
function rankOf(nodes, lines) {
  const ranks = new Map([...nodes.keys()].map((key) => [key, 0]));
  for (let turn = 0; turn < Math.min(nodes.size, 12); turn++) {
    let moved = false;
    for (const { from, to } of lines) {
      if (ranks.get(to) <= ranks.get(from) && ranks.get(from) < 11) {
        ranks.set(to, ranks.get(from) + 1);
        moved = true;
      }
    }
    if (!moved) break;
  }
  return ranks;
}

const short = (text, length) => text.length > length ? `${text.slice(0, length - 1)}…` : text;

export function drawMap(root, queues, edges) {
  const nodes = new Map();
  const lines = [];
  for (const q of queues) nodes.set(`q ${q.name}`, { text: q.name, queue: q });
  for (const e of edges) {
    const service = `s ${e.service}`;
    if (!nodes.has(service)) nodes.set(service, { text: e.service || '(no service)' });
    lines.push(e.publishes ? { from: service, to: `q ${e.queue}`, e } : { from: `q ${e.queue}`, to: service, e });
  }
  const key = JSON.stringify([queues.map((q) => [q.name, q.waiting]), edges]);
  if (root.dataset.key === key) return;
  root.dataset.key = key;
  if (nodes.size === 0) return root.replaceChildren();
  const ranks = rankOf(nodes, lines);
  const columns = [];
  for (const [name, node] of nodes) (columns[ranks.get(name)] ??= []).push(node);
  let height = 0;
  columns.forEach((column, x) => column.forEach((node, y) => {
    node.x = x * columnWidth + 8;
    node.y = y * rowHeight + 8;
    height = Math.max(height, node.y + rowHeight);
  }));
  const drawing = svg('svg', { width: columns.length * columnWidth, height: height + 8 });
  drawing.append(...lines.map((line) => edgeOf(line, nodes)), ...[...nodes.values()].map(boxOf));
  root.replaceChildren(drawing);
}

function edgeOf({ from, to, e }, nodes) {
  const [a, b] = [nodes.get(from), nodes.get(to)];
  const [x1, y1, x2, y2] = [a.x + boxWidth, a.y + 12, b.x, b.y + 12];
  const bend = Math.max(40, Math.abs(x2 - x1) / 2);
  const rate = e.perMinute > 0 ? `${e.perMinute.toLocaleString('en', { maximumSignificantDigits: 3 })}/min` : `${e.messages}`;
  const failed = e.failures > 0 ? `, ${e.failures} failed` : '';
  return svg('g', { class: e.failures > 0 ? 'edge failed' : 'edge' },
    svg('title', {}, `${from.slice(2)} → ${to.slice(2)}: ${e.messages} messages, ${rate}${failed}`),
    svg('path', { d: `M${x1},${y1} C${x1 + bend},${y1} ${x2 - bend},${y2} ${x2},${y2}` }),
    svg('text', { x: e.publishes ? x2 - 6 : x1 + 6, y: (e.publishes ? y2 : y1) - 4, 'text-anchor': e.publishes ? 'end' : 'start' }, `${rate}${failed}`));
}

function boxOf(node) {
  const { x, y, text, queue } = node;
  const link = svg('a', { href: queue ? `#/?${new URLSearchParams({ q: `queue=${/\s/.test(text) ? `"${text}"` : text}` })}` : `#/?${new URLSearchParams({ service: text })}` },
    svg('title', {}, text),
    svg('rect', { x, y, width: boxWidth, height: 24, rx: queue ? 12 : 4 }),
    svg('text', { x: x + 10, y: y + 16 }, short(text, 22)));
  const group = svg('g', { class: `node ${queue ? 'queue' : 'service'}${queue?.waiting > 0 ? ' stuck' : ''}` }, link);
  if (queue?.waiting > 0) group.append(svg('text', { class: 'waiting', x: x + boxWidth - 8, y: y + 16, 'text-anchor': 'end' }, `${queue.waiting}`));
  return group;
}
