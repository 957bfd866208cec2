// Takes the pictures of docs/view.md. `make screenshots` runs it. Times and ids are the
// same in each run, so that a picture changes where the page did.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { root, send, Stage } from './stage.js';
import { beginAt, large, order, scheduled, settlement, simple, unconsumed } from './traces.js';

const folder = join(root, 'docs', 'images');
const noon = Date.UTC(2026, 2, 14, 12);
const stage = await new Stage().open();
mkdirSync(folder, { recursive: true });
beginAt(noon - 600_000);

// shot opens an address and takes a picture once what it waits for is there.
async function shot(name, base, hash, ready, { width = 1280, height = 720, act, ...options } = {}) {
  const page = await stage.page(base, { viewport: { width, height }, timezoneId: 'UTC', colorScheme: 'light', ...options });
  await page.clock.setFixedTime(noon);
  await page.goto(`${base}/${hash}`);
  await page.locator(ready).first().waitFor();
  await act?.(page);
  await page.evaluate(() => document.fonts.ready);
  await page.screenshot({ path: join(folder, `${name}.png`), animations: 'disabled', caret: 'hide' });
  await page.context().close();
}

// shop is an afternoon's traces, most of them unremarkable.
function shop() {
  const traces = [];
  const published = [];
  for (let n = 0; n < 6; n++) {
    const { trace, publish } = simple(n * 67_000, 'POST /orders', { 'tenant.id': n % 2 ? 'acme' : 'globex' }, 18 + n * n * 37);
    traces.push(trace);
    published.push(publish);
  }
  const failed = order(480_000);
  traces.push(failed.trace);
  const batch = settlement(521_000, [...published.slice(0, 3), failed.publish]);
  traces.push(batch, large(540_000, 10_000), simple(590_000, 'POST /orders', { 'tenant.id': 'acme' }).trace);
  return { traces, failed, batch, calm: traces[5], many: traces.at(-2) };
}

const empty = await stage.view();
const base = await stage.view();
const { traces, failed, batch, calm, many } = shop();
await send(base, ...traces);

const trace = `#/trace/${failed.trace.id}`;
await shot('empty', empty, '#/', '.command', { height: 480 });
await shot('list', base, '#/', 'tbody tr');
await shot('wait', base, `#/trace/${calm.id}`, '.row', { height: 360 });
await shot('retries', base, trace, '.row');
await shot('details-dark', base, `${trace}/span/${failed.first.spanId}`, 'aside h2', { colorScheme: 'dark', height: 800 });
await shot('links', base, `#/trace/${batch.id}/span/${batch.root.spanId}`, 'aside h2', { height: 560 });
await shot('large', base, `#/trace/${many.id}`, '.row', { act: (page) => page.keyboard.press('e') });
await shot('zoom', base, `#/trace/${many.id}`, '.row', {
  height: 420,
  act: async (page) => {
    await page.keyboard.press('e');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('z');
  },
});
const stuck = await stage.view();
await send(stuck, ...traces.slice(0, 7), ...[0, 1, 2].map((n) => unconsumed(590_000 - n * 31_000, n % 2 ? 'acme' : 'globex').trace), scheduled(580_000).trace);
await shot('queues', stuck, '#/queues', '.map .node');
await shot('queues-dark', stuck, '#/queues', '.map .node', { colorScheme: 'dark' });
await shot('queues-narrow', stuck, '#/queues', '.map .node', { width: 420, height: 760 });
await shot('narrow', base, trace, '.row', { width: 420, height: 760 });

await stage.close();
for (const problem of stage.problems) console.error(problem);
process.exitCode = stage.problems.length > 0 ? 1 : 0;
