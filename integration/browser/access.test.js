// Keyboard, screen readers, contrast, and small windows.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { contrasts } from './contrast.js';
import { at, base, open, page, row, selected, shown } from './harness.js';
import { order, settlement, simple } from './traces.js';

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

test('everything that can be clicked is reached with Tab', async () => {
  const { trace, publish } = order(0);
  const batch = settlement(50, [publish]);
  await open([trace, batch]);
  for (const [view, ready] of [['#/', 'tbody tr'], [`#/trace/${batch.id}`, '.row.link'], [`#/trace/${trace.id}/span/${publish.spanId}`, 'aside h2']]) {
    await page.goto(`${base}/${view}`);
    await page.locator(ready).first().waitFor();
    const unreached = await page.evaluate(() => {
      globalThis.unreached = new Set([...document.querySelectorAll('a[href], button, input, select, [role=tree]')].filter((e) => e.checkVisibility()));
      document.activeElement?.blur();
      return unreached.size;
    });
    for (let n = 0; n < unreached + 3; n++) { // The document itself is a stop too.
      await page.keyboard.press('Tab');
      await page.evaluate(() => {
        const element = document.activeElement;
        if (!element.checkVisibility({ opacityProperty: true })) throw new Error(`${element.outerHTML} has the focus and is not seen`);
        globalThis.unreached.delete(element);
      });
    }
    assert.deepEqual(await page.evaluate(() => [...globalThis.unreached].map((element) => element.outerHTML)), [], view);
    const unnamed = await page.evaluate(() => [...document.querySelectorAll('a, button, input:not([hidden]), select, [role=tree], dialog, aside')]
      .filter((e) => e.checkVisibility() && !(e.ariaLabel || e.getAttribute('aria-labelledby') || e.textContent.trim() || e.labels?.length)).map((e) => e.outerHTML));
    assert.deepEqual(unnamed, [], `${view}: what a screen reader has no name for`);
  }
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
