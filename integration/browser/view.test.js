// Drives the page of `mqtrace view` in Chromium. `make browser` runs it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { contrasts } from './contrast.js';
import { runExample, send, Stage } from './stage.js';
import { attack, hostile, large, newTraceID, order, settlement, simple, Trace } from './traces.js';

const stage = new Stage();
let base, page;

before(() => stage.open());
after(async () => {
  await stage.close();
  assert.deepEqual(stage.problems, []);
});
afterEach(async () => {
  await page?.context().close();
  page = undefined;
  assert.deepEqual(stage.problems.splice(0), []);
});

// open starts a program with these traces in it and opens its page.
async function open(traces = [], path = '/', options = {}) {
  base = await stage.view();
  await send(base, ...traces);
  page = await stage.page(base, options);
  await page.goto(base + path);
}

const names = () => page.locator('tbody .title a').allTextContents();
const shown = (list) => page.waitForFunction((wanted) =>
  JSON.stringify([...document.querySelectorAll('tbody .title a')].map((a) => a.textContent)) === JSON.stringify(wanted), list);
const row = (name, nth = 0) => page.locator('.row.span', { has: page.locator('.name', { hasText: name }) }).nth(nth);
const at = (hash) => page.waitForFunction((wanted) => location.hash === wanted, hash);
const selected = () => page.locator('.row[aria-selected=true] .name').textContent();

describe('the list', () => {
  test('says where to send traces, and shows them as they come', async () => {
    await open();
    await page.getByText(`export OTEL_EXPORTER_OTLP_ENDPOINT=${base}`, { exact: true }).waitFor();
    const { trace } = order(0);
    await send(base, trace);
    await shown(['POST /orders']);
    const text = await page.locator('tbody tr').innerText();
    for (const part of ['order-api', '1.01s', '715ms', '14', '4', trace.id.slice(0, 8), 'order-mails.dead']) assert.ok(text.includes(part), `${part} in ${text}`);
  });

  test('does not move what somebody reads', async () => {
    await open([simple(0, 'first').trace, simple(1, 'second').trace]);
    await shown(['second', 'first']);
    await page.keyboard.press('j');
    const more = simple(2, 'third');
    await send(base, more.trace);
    await page.getByRole('button', { name: 'Show 1 new trace' }).waitFor();
    assert.deepEqual(await names(), ['second', 'first']);
    await page.getByRole('button', { name: 'Show 1 new trace' }).click();
    await shown(['third', 'second', 'first']);
  });

  test('is searched by all there is', async () => {
    const orders = order(0);
    await open([simple(0, 'GET /a', { 'tenant.id': 'acme corp', n: 7 }).trace, orders.trace, settlement(0, [orders.publish])]);
    await shown(['process settlements', 'POST /orders', 'GET /a']);
    const q = page.locator('input[name=q]');
    for (const [search, found] of [
      ['settle', ['process settlements']], [orders.trace.id.slice(0, 12), ['POST /orders']], [orders.trace.id, ['POST /orders']],
      ['tenant.id=acme', ['POST /orders']], ['"tenant.id=acme corp" n=7', ['GET /a']], ['n=8', []],
    ]) {
      await q.fill(search);
      await shown(found);
    }
    await page.getByText('No trace matches').waitFor();
    await page.getByRole('button', { name: 'Clear the search' }).click();
    await shown(['process settlements', 'POST /orders', 'GET /a']);
    await page.locator('select[name=queue]').selectOption('invoices');
    await shown(['POST /orders', 'GET /a']);
    await page.locator('select[name=service]').selectOption('undertaker');
    await shown(['POST /orders']);
    await page.locator('select[name=service]').selectOption('');
    await page.locator('input[name=errors]').check();
    await shown(['POST /orders']);
    await q.fill('nothing');
    await shown([]);
    await q.fill('post');
    await shown(['POST /orders']);
    await page.reload(); // The search is in the address.
    await shown(['POST /orders']);
    await page.locator('tbody a').click();
    await row('publish orders').waitFor();
    await page.locator('.back').click();
    await shown(['POST /orders']);
    assert.equal(await q.inputValue(), 'post');
    assert.equal(await page.locator('tr[aria-selected=true]').count(), 1, 'the trace that was open');
  });
});

describe('a trace', () => {
  test('shows waits, attempts, dead letters and errors without a click', async () => {
    const { trace } = order(0);
    await open([trace], `/#/trace/${trace.id}`);
    await row('process order-mails').waitFor();
    const wait = await row('process order-mails').locator('.wait').boundingBox();
    const bar = await row('process order-mails').locator('.bar').boundingBox();
    const sent = await row('publish orders').locator('.bar').boundingBox();
    assert.ok(Math.abs(wait.x - (sent.x + sent.width)) < 2 && Math.abs(wait.x + wait.width - bar.x) < 2, 'the wait lies between publish and process');
    for (const [name, nth, parts] of [
      ['process order-mails', 0, ['attempt 1', 'requeue', 'waited in order-mails 153ms', '55.0ms']],
      ['process order-mails', 1, ['attempt 2', 'reject', 'retried after 230ms']],
      ['process order-mails.dead', 0, ['dead letter: rejected', 'ack', 'waited in order-mails.dead 186ms']],
    ]) {
      const text = await row(name, nth).innerText();
      for (const part of parts) assert.ok(text.includes(part), `${part} in ${text}`);
    }
    assert.equal(await row('process order-mails', 1).locator('.lane').count(), 1);
    assert.equal(await row('process order-mails.dead').locator('.lane.dead').count(), 1);
    assert.equal(await row('publish orders').locator('.lane').count(), 0);
    assert.equal(await page.locator('.row.error', { hasText: 'template service: connection refused' }).count(), 2);
    assert.ok(await page.locator('.tick').count() >= 4, 'there is a time axis');
  });

  test('links lead to the other trace, and back', async () => {
    const a = order(0), b = simple(0), batch = settlement(100, [a.publish, b.publish]);
    await open([a.trace, b.trace, batch], `/#/trace/${batch.id}`);
    await page.getByRole('link', { name: /links to publish orders/ }).first().click();
    await at(`#/trace/${a.trace.id}/span/${a.publish.spanId}`);
    await page.locator('aside h2', { hasText: 'publish orders' }).waitFor();
    assert.equal(await selected(), 'publish orders');
    await page.locator('.scroller').getByRole('link', { name: /linked from process settlements/ }).click();
    await page.locator('aside h2', { hasText: 'process settlements' }).waitFor();
    await page.goBack();
    await page.locator('aside h2', { hasText: 'publish orders' }).waitFor();
    await page.goBack();
    await at(`#/trace/${batch.id}`);
    await row('COPY settlements').waitFor();
    assert.ok(await page.locator('aside').isHidden());
  });

  test('a span tells everything on a click', async () => {
    const { trace } = order(0);
    await open([trace], `/#/trace/${trace.id}`);
    await row('process order-mails').locator('.name').click();
    const text = await page.locator('aside', { hasText: 'Resource' }).innerText();
    for (const part of ['notification · consumer', 'template service: connection refused (*net.OpError)', 'mqtrace.settlement', 'requeue', 'ord-20417',
      'user.tier', 'gold', 'template.lookup', '+5.00ms', 'order-confirmed', 'worker-7', 'github.com/mqtrace/mqtrace/amqptrace', '153ms']) {
      assert.ok(text.includes(part), `${part} in ${text}`);
    }
    await page.goBack();
    await at(`#/trace/${trace.id}`);
    assert.ok(await page.locator('aside').isHidden());
    await row('process order-mails').locator('.name').click();
    await page.getByRole('link', { name: 'Find traces with this messaging.message.id' }).click();
    await shown(['POST /orders']);
  });

  test('grows while it is looked at', async () => {
    const t = new Trace();
    const root = t.span('a', 'slow job', 'internal', 0, 1000);
    await open([t], `/#/trace/${t.id}`);
    await row('slow job').waitFor();
    t.span('b', 'late step', 'internal', 900, 990, { parent: root });
    await fetch(`${base}/v1/traces`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(t.otlp) });
    await row('late step').waitFor();
  });

  test('one that is not here is said to be not here', async () => {
    await open([], `/#/trace/${newTraceID()}`);
    await page.getByText('is not here: it was not received').waitFor();
    await page.keyboard.press('Escape');
    await page.getByText('No traces yet').waitFor();
  });

  test('of 10,000 spans is usable within two seconds', async () => {
    const t = large(0, 10000);
    await open([t]);
    await shown(['import catalogue']);
    const began = Date.now();
    await page.locator('tbody a').click();
    await row('publish items').waitFor();
    await page.keyboard.press('End');
    await page.waitForFunction(() => document.querySelector('.row[aria-selected=true]')?.getBoundingClientRect().bottom <= innerHeight);
    const took = Date.now() - began;
    console.log(`10,000 spans: ${took} ms from the click until the last row is reached by key`);
    assert.ok(took < 2000, `${took} ms`);
    assert.ok(await page.locator('.row').count() < 200, 'only rows in sight are in the document');
    await page.keyboard.press('e');
    assert.ok((await selected()).includes('process items'));
    await page.keyboard.press('Home');
    await page.keyboard.press('ArrowLeft');
    await page.getByText('+9,999').waitFor();
  });
});

test('the keyboard is enough', async () => {
  const { trace } = order(0);
  await open([simple(0, 'GET /other').trace, trace]);
  await shown(['POST /orders', 'GET /other']);
  await page.keyboard.press('/');
  await page.keyboard.type('orders');
  await shown(['POST /orders', 'GET /other']); // One publishes to the exchange orders.
  await page.keyboard.press('Enter');
  await page.keyboard.press('ArrowDown');
  assert.equal(await page.locator('tr[aria-selected=true] a').textContent(), 'GET /other');
  await page.keyboard.press('k');
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, 'solid', 'the focus is visible');
  await page.keyboard.press('Enter');
  await at(`#/trace/${trace.id}`);
  await row('POST /orders').waitFor();
  for (let n = 0; n < 4; n++) await page.keyboard.press('j');
  assert.equal(await selected(), 'publish orders');
  await page.keyboard.press('ArrowLeft');
  assert.equal(await row('publish orders').getAttribute('aria-expanded'), 'false');
  assert.equal(await row('process order-mails').count(), 0);
  await page.keyboard.press('ArrowRight');
  assert.equal(await row('publish orders').getAttribute('aria-expanded'), 'true');
  await page.keyboard.press('ArrowRight');
  assert.equal(await selected(), 'process invoices');
  await page.keyboard.press('Enter');
  await page.locator('aside h2', { hasText: 'process invoices' }).waitFor();
  await page.keyboard.press('e');
  await page.locator('aside h2', { hasText: 'process order-mails' }).waitFor();
  await page.keyboard.press('ArrowUp');
  await page.locator('aside h2', { hasText: 'INSERT invoices' }).waitFor();
  await page.keyboard.press('Escape');
  await page.locator('aside').waitFor({ state: 'hidden' });
  await page.keyboard.press('/');
  await page.keyboard.type('template');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Escape');
  assert.ok((await selected()).includes('process order-mails'));
  await page.keyboard.press('?');
  await page.getByRole('heading', { name: 'Keyboard' }).waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('heading', { name: 'Keyboard' }).waitFor({ state: 'hidden' });
  await at(`#/trace/${trace.id}`);
  await page.keyboard.press('Escape');
  await shown(['POST /orders', 'GET /other']);
});

test('light and dark are legible, and remembered', async () => {
  const { trace, publish } = order(0);
  await open([trace, settlement(50, [publish])], '/', { colorScheme: 'dark' });
  const ground = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  const dark = await ground();
  const views = ['/#/', `/#/trace/${trace.id}`, `/#/trace/${trace.id}/span/${publish.spanId}`];
  for (const theme of ['system', 'light', 'dark']) {
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), theme);
    assert.equal((await ground()) === dark, theme !== 'light', theme);
    for (const view of views) {
      await page.goto(base + view);
      await page.locator('tbody tr, .row, aside h2').first().waitFor();
      assert.deepEqual(await page.evaluate(contrasts, 4.5), [], `${theme}, ${view}`);
    }
    await page.reload();
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), theme, 'after a reload');
    await page.locator('#theme').click();
  }
});

test('a narrow window shows all of it', async () => {
  const { trace, publish } = order(0);
  await open([trace], '/', { viewport: { width: 400, height: 700 } });
  for (const hash of ['#/', `#/trace/${trace.id}`, `#/trace/${trace.id}/span/${publish.spanId}`]) {
    await page.goto(`${base}/${hash}`);
    await page.locator('tbody tr, .row, aside h2').first().waitFor();
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${hash} is wider than the window`);
  }
  assert.ok((await page.locator('aside').boundingBox()).width > 390, 'the details take the window');
});

test('text from spans stays text', async () => {
  const { trace, other } = attack(0);
  await open([trace, other]);
  await page.locator('tbody tr').nth(1).waitFor();
  const check = async (where) => {
    const elements = await page.evaluate(() => ({
      pwned: globalThis.pwned, foreign: document.querySelectorAll('img:not(.brand img), svg, iframe, object, main script, [onload], [onerror]').length,
      links: [...document.links].map((a) => a.getAttribute('href')).filter((href) => !/^(#\/|api\/traces\/)/.test(href)),
    }));
    assert.deepEqual(elements, { pwned: undefined, foreign: 0, links: [] }, where);
  };
  await check('the list');
  for (const text of [hostile[0], hostile[1]]) {
    await page.locator('select[name=queue]').selectOption(text);
    await shown([hostile[0]]);
  }
  await check('the search');
  await page.locator('tbody a').click();
  for (const name of [hostile[0], `publish ${hostile[0]}`, `process ${hostile[1]}`]) {
    await row(name).first().waitFor();
    await row(name).first().locator('.name').click();
    await page.locator('aside h2', { hasText: name }).waitFor();
    await check(name);
  }
  const text = await page.locator('aside').innerText();
  for (const part of hostile.slice(0, 3)) assert.ok(text.includes(part), `${part} in ${text}`);
  await page.goto(`${base}/#/?q=${encodeURIComponent(hostile[0])}&service=${encodeURIComponent(hostile[1])}`);
  await check('the address');
});

describe('a saved trace', () => {
  test('is opened by the button and by dropping it', async () => {
    const { trace } = order(0);
    await open([trace], `/#/trace/${trace.id}`);
    await row('publish orders').waitFor();
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Save' }).click()]);
    assert.equal(download.suggestedFilename(), `trace-${trace.id}.json`);
    const file = join(stage.folder, 'saved.json');
    await download.saveAs(file);
    await page.context().close();

    await open();
    await page.locator('#file').setInputFiles(file);
    await at(`#/trace/${trace.id}`);
    await row('process order-mails.dead').waitFor();
    assert.equal(await page.locator('.row.span').count(), 14);
    await page.context().close();

    await open();
    await page.evaluate((content) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([content], 'saved.json'));
      for (const type of ['dragover', 'drop']) document.body.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
    }, readFileSync(file, 'utf8'));
    await row('process order-mails.dead').waitFor();
    await page.locator('#file').setInputFiles({ name: 'bad.json', mimeType: 'application/json', buffer: Buffer.from('hello') });
    stage.problems.splice(0); // The browser reports the answer 400.
    await page.getByText('bad.json cannot be opened').waitFor();
    stage.problems.splice(0);
  });

  test('is opened by the command', async () => {
    base = await stage.view(join(stage.folder, 'saved.json'));
    page = await stage.page(base);
    await page.goto(base);
    await shown(['POST /orders']);
  });
});

test('a page of another origin reads and sends nothing', async () => {
  const { trace } = order(0);
  base = await stage.view();
  await send(base, trace);
  const elsewhere = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<title>elsewhere</title>')).listen(0, '127.0.0.1');
  await new Promise((listening) => elsewhere.once('listening', listening));
  try {
    page = await stage.page('');
    await page.goto(`http://localhost:${elsewhere.address().port}/`);
    const got = await page.evaluate(async ({ base, body }) => {
      const attempt = (path, options) => fetch(base + path, options).then((r) => r.type === 'opaque' ? 'sent' : r.text(), () => 'refused');
      return Promise.all([
        attempt('/api/traces'), attempt('/api/traces', { mode: 'no-cors' }), attempt('/', {}),
        attempt('/v1/traces', { method: 'POST', body, headers: { 'Content-Type': 'application/json' } }),
        attempt('/v1/traces', { method: 'POST', body, mode: 'no-cors' }),
      ]);
    }, { base, body: JSON.stringify(simple(0).trace.otlp) });
    assert.deepEqual(got, new Array(5).fill('refused'));
    assert.equal((await (await fetch(`${base}/api/traces`)).json()).found, 1);
  } finally {
    elsewhere.close();
    stage.problems.splice(0); // The browser reports what it has refused.
  }
});

test('the traces of the order-notification example', async () => {
  await open();
  runExample(base);
  await page.locator('tbody tr').nth(4).waitFor();
  await page.locator('select[name=queue]').selectOption('emails');
  await page.locator('input[name=errors]').check();
  await shown(['POST /orders']);
  await page.locator('tbody a').click();
  await row('process emails', 1).waitFor();
  assert.ok((await row('process emails', 0).innerText()).includes('attempt 1'));
  assert.ok((await row('process emails', 1).innerText()).includes('retried after'));
  assert.ok(await row('process emails', 1).locator('.wait').isVisible());
});
