// The frame of the page: which view is shown, files, theme, help.
import { el, isTyping } from './dom.js';
import { showList } from './list.js';
import { showQueues } from './queues.js';
import { send } from './server.js';
import { showTrace } from './trace.js';

const byID = (id) => document.getElementById(id);
let current; // the view: { close, key, route }
let listHash = '#/'; // the list as it was last seen, with its search

// parseHash reads #/?search, #/queues, #/trace/ID and #/trace/ID/span/ID. Of spans that
// share an id, all but one have a number after it.
function parseHash() {
  const [path, search = ''] = location.hash.slice(1).split('?');
  const [, trace, , span] = path.match(/^\/trace\/([0-9a-fA-F]+)(\/span\/([0-9a-fA-F]+(?:\.\d+)?))?$/) ?? [];
  return { queues: path === '/queues', trace: trace?.toLowerCase(), span: span?.toLowerCase(), search: new URLSearchParams(search) };
}

function route() {
  const target = parseHash();
  if (target.trace && current && !current.trace && !current.queues) listHash = current.hash;
  if (current?.route(target)) return; // The view stays the same.
  current?.close();
  byID('view').replaceChildren();
  state('');
  const page = { root: byID('view'), target, state, listHash, from: current?.trace };
  current = target.queues ? showQueues(page) : target.trace ? showTrace(page) : showList(page);
  for (const link of document.querySelectorAll('.views a')) {
    const here = link.getAttribute('href') === (target.queues ? '#/queues' : '#/') && !target.trace;
    if (here) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
}

function state(text) {
  byID('state').textContent = text;
}

let hide;
function notice(text) {
  const box = byID('notice');
  box.replaceChildren(text, el('button', { type: 'button', click: () => { box.hidden = true; } }, 'Close'));
  box.hidden = !text;
  clearTimeout(hide);
  hide = setTimeout(() => { box.hidden = true; }, 10000);
}

async function openFiles(files) {
  const ids = [];
  for (const file of files) {
    try {
      const opened = await send(file);
      ids.push(...opened.ids);
      if (opened.warning) notice(`${file.name}: ${opened.warning}`);
      else if (opened.ids.length === 0) notice(`${file.name} has no spans in it.`);
    } catch (error) {
      notice(`${file.name} cannot be opened: ${error.message}`);
    }
  }
  if (ids.length === 1) location.hash = `#/trace/${ids[0]}`;
  else if (ids.length > 1) location.hash = '#/';
}

function setUpFiles() {
  byID('open').addEventListener('click', () => byID('file').click());
  byID('file').addEventListener('change', async (event) => {
    await openFiles([...event.target.files]);
    event.target.value = ''; // so that the same file can be opened again
  });
  const hasFiles = (event) => event.dataTransfer?.types.includes('Files');
  addEventListener('dragover', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    byID('drop').hidden = false;
  });
  addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) byID('drop').hidden = true;
  });
  addEventListener('drop', (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    byID('drop').hidden = true;
    openFiles([...event.dataTransfer.files]);
  });
}

function setUpTheme() {
  const button = byID('theme');
  const label = () => {
    button.textContent = { system: '◐ Auto', light: '☀ Light', dark: '☾ Dark' }[themes.current];
    button.setAttribute('aria-label', `Theme: ${themes.current}`);
  };
  button.addEventListener('click', () => {
    themes.current = themes.next;
    label();
  });
  label();
}

function setUpKeys() {
  const help = byID('keys');
  byID('help').addEventListener('click', () => help.showModal());
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    if (event.key === '?' && !isTyping(event)) {
      event.preventDefault();
      help.showModal();
    } else {
      current.key(event);
    }
  });
}

setUpFiles();
setUpTheme();
setUpKeys();
addEventListener('hashchange', route);
route();
