// What a hostile span or page cannot do.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { at, base, open, page, row, shown, stage } from './harness.js';
import { attack, hostile, nonsense, order, simple } from './traces.js';

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

test('nonsense is shown, with notes', async () => {
  const { trace, spans } = nonsense();
  await open([trace]);
  await page.locator('tbody a').click();
  await page.locator('.row.span').first().waitFor();
  await page.getByText(`${spans} spans`).waitFor();
  await page.keyboard.press('Enter');
  await page.locator('aside h2').waitFor();
  const seen = new Set();
  for (let n = 0; n < spans; n++) {
    const id = await page.evaluate(() => document.querySelector('.row[aria-selected=true]').dataset.span);
    await page.locator('aside dl.facts', { hasText: id }).waitFor();
    seen.add(id);
    assert.ok(await page.evaluate(() => [...document.querySelectorAll('body, aside, .row .what')].every((e) => getComputedStyle(e).overflow === 'hidden' || e.scrollWidth <= e.clientWidth + 1)), `${id} is wider than its place`);
    assert.equal(await page.evaluate(() => /[\u202a-\u202e\u2066-\u2069]/.test(document.querySelector('aside h2').textContent + document.querySelector('.scroller').textContent)), false, 'no name reorders text');
    await page.keyboard.press('z');
    await page.keyboard.press('z');
    await page.keyboard.press('j');
  }
  assert.equal(seen.size, spans, 'the keys go to each span');
  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Save' }).click()]);
  const file = join(stage.folder, 'nonsense.json');
  await download.saveAs(file);
  await page.context().close();
  const sent = await (await fetch(`${base}/api/traces/${trace.id}`)).text();
  await open([], '/', {}, [file]);
  assert.equal(await (await fetch(`${base}/api/traces/${trace.id}`)).text(), sent, 'what was saved is what is opened');
});

test('a page of another origin reads and sends nothing', async () => {
  const { trace } = order(0);
  await open([trace]);
  const elsewhere = createServer((_, response) => response.setHeader('Content-Type', 'text/html').end('<title>elsewhere</title>')).listen(0, '127.0.0.1');
  await new Promise((listening) => elsewhere.once('listening', listening));
  stage.expected = /./; // Requests to other origins, and the browser's errors about them.
  try {
    await page.goto(`http://localhost:${elsewhere.address().port}/`);
    const got = await page.evaluate(async ({ base, body }) => {
      const attempt = (path, options) => fetch(base + path, options).then((r) => r.type === 'opaque' ? 'sent' : r.text(), () => 'refused');
      return Promise.all([
        attempt('/api/traces'), attempt('/api/traces', { mode: 'no-cors' }), attempt('/', {}),
        attempt('/v1/traces', { method: 'POST', body, headers: { 'Content-Type': 'application/json' } }),
        attempt('/v1/traces', { method: 'POST', body, mode: 'no-cors' }),
        attempt('/v1/traces', { method: 'POST', body: new Blob([body], { type: 'application/json' }), mode: 'no-cors' }),
      ]);
    }, { base, body: JSON.stringify(simple(0).trace.otlp) });
    assert.deepEqual(got, new Array(6).fill('refused'));
    const loaded = await page.evaluate((base) => Promise.all(['script', 'img', 'link', 'iframe'].map((name) => new Promise((resolve) => {
      const element = document.createElement(name);
      element.onload = () => resolve(name === 'iframe' && element.contentDocument === null ? 'refused' : `${name} was loaded`);
      element.onerror = () => resolve('refused');
      if (name === 'link') element.rel = 'stylesheet';
      element[name === 'link' ? 'href' : 'src'] = `${base}/${{ script: 'api/traces', img: 'assets/icon.svg', link: 'assets/base.css', iframe: '' }[name]}`;
      document.body.append(element);
    }))), base);
    assert.deepEqual(loaded, new Array(4).fill('refused'));
    const framed = page.frames().find((frame) => frame !== page.mainFrame());
    assert.ok(!(await framed.content()).includes('id="view"'), 'the page is not shown in a frame');
    for (const enctype of ['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data']) {
      await page.goto(`http://localhost:${elsewhere.address().port}/`);
      const [response] = await Promise.all([page.waitForNavigation(), page.evaluate(({ base, enctype, body }) => {
        const form = Object.assign(document.createElement('form'), { method: 'POST', action: `${base}/v1/traces`, enctype });
        form.append(Object.assign(document.createElement('input'), { name: body.slice(0, -1), value: body.slice(-1) }));
        document.body.append(form);
        form.submit();
      }, { base, enctype, body: JSON.stringify(simple(0).trace.otlp) })]);
      assert.equal(response.status(), 403, enctype);
    }
    for (const path of ['/', '/api/traces', `/api/traces/${trace.id}`]) { // The page's own origin, at our address.
      const response = await page.goto(`http://rebound.example:${new URL(base).port}${path}`);
      assert.equal(response.status(), 403, path);
    }
    assert.equal((await (await fetch(`${base}/api/traces`)).json()).found, 1);
  } finally {
    elsewhere.close();
  }
});
