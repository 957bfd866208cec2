// The page of queues, its map, messages that nothing has consumed, and search terms.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { at, open, page, shown, stage } from './harness.js';
import { order, scheduled, simple } from './traces.js';

// stuck is a trace whose message nobody has consumed for some minutes.
function stuck(n, queue, tenant, minutes = 3) {
  const end = BigInt(Date.now() - minutes * 60_000) * 1_000_000n;
  const attributes = Object.entries({ 'messaging.system': 'asynq', 'messaging.destination.name': queue, 'messaging.operation.type': 'send', 'tenant.id': tenant })
    .map(([key, value]) => ({ key, value: { stringValue: value } }));
  return { otlp: {
    resourceSpans: [{
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 'shop' } }] },
      scopeSpans: [{ spans: [{
        traceId: n.toString(16).padStart(32, 'f'), spanId: '00000000000000a1', name: `enqueue ${queue}`, kind: 4,
        startTimeUnixNano: String(end - 1_000_000n), endTimeUnixNano: String(end), attributes,
      }] }],
    }],
  } };
}

describe('queues', () => {
  test('say what waits, since when and for whom, and lead to the traces', async () => {
    await open([order(0).trace, stuck(1, 'letters', 'acme'), stuck(2, 'letters', 'globex', 2)], '/#/queues');
    const row = page.locator('tr[data-queue=letters]');
    await row.waitFor();
    const text = await row.innerText();
    for (const part of ['2', '3m0', 'shop', 'none seen', 'waiting for: ', 'acme', 'globex']) assert.ok(text.includes(part), `${part} in ${text}`);
    assert.equal(await page.locator('tbody tr').first().getAttribute('data-queue'), 'letters'); // The queue that waits longest comes first.
    await page.getByRole('button', { name: 'Queue', exact: true }).click();
    const names = await page.locator('tbody tr').evaluateAll((rows) => rows.map((tr) => tr.dataset.queue));
    assert.deepEqual(names, names.toSorted());
    assert.ok(await page.locator('.map .node.queue').count() >= 3);
    assert.ok(await page.locator('.map .node.stuck').count() === 1);
    await row.locator('a').nth(1).click();
    await shown(['enqueue letters', 'enqueue letters']);
    await page.locator('tbody a').first().click();
    await page.getByText(/^not consumed for /).first().waitFor();
  });

  test('show messages that are not due yet, which are not stuck', async () => {
    await open([scheduled(0).trace], '/#/queues');
    const row = page.locator('tr[data-queue=reminders]');
    await row.getByText(/^1 not due yet, the next at /).click();
    await shown(['POST /orders']);
    assert.match(await page.locator('tbody td.waited').innerText(), /^due (\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d$/);
    assert.equal(await page.locator('tbody .badge.odd').count(), 0);
    await page.locator('tbody a').first().click();
    await page.getByText(/^due in \d+m\d\ds$/).first().waitFor();
  });

  test('fit in the window, and keep the most important columns', async () => {
    const long = 'a-queue-with-a-name-that-is-far-longer-than-the-names-of-queues-are-as-a-rule';
    await open([order(0).trace, stuck(1, long, 'acme', 90), stuck(2, 'letters', 'a-tenant-with-quite-a-long-name', 2)], '/#/queues');
    for (const [width, scheme, columns] of [[1280, 'light', 12], [1280, 'dark', 12], [1024, 'light', 9], [420, 'light', 5], [360, 'dark', 5]]) {
      await page.setViewportSize({ width, height: 760 });
      await page.emulateMedia({ colorScheme: scheme });
      await page.locator('tr[data-queue=letters]').waitFor();
      const over = await page.evaluate(() => [document.documentElement, document.querySelector('.wide')].map((e) => e.scrollWidth - e.clientWidth));
      assert.deepEqual(over, [0, 0], `${width}`);
      const cut = await page.locator('.queues-table th:visible, .queues-table td.number:visible').evaluateAll((cells) => cells.filter((c) => c.scrollWidth > c.clientWidth).map((c) => c.textContent));
      assert.deepEqual(cut, [], `${width}`);
      const heads = await page.locator('.queues-table thead th:visible').allTextContents();
      assert.equal(heads.length, columns, `${width}`);
      assert.deepEqual(heads.slice(0, 4), ['Queue', 'Waiting', 'For', 'Per minute'], `${width}`);
    }
  });

  test('are usable with fifty', async () => {
    const many = Array.from({ length: 50 }, (_, i) => stuck(i + 1, `queue-${i}`, 'acme', i + 1));
    await open(many, '/#/queues');
    await page.locator('tr[data-queue=queue-49]').waitFor();
    assert.equal(await page.locator('.map .node.queue').count(), 50);
  });
});

describe('the search', () => {
  test('has terms for times and waiting messages, and explains an invalid one', async () => {
    await open([simple(0, 'GET /a').trace, order(0).trace, stuck(1, 'letters', 'acme')]);
    await shown(['enqueue letters', 'POST /orders', 'GET /a']);
    const q = page.locator('input[name=q]');
    for (const [words, found] of [
      ['is:waiting', ['enqueue letters']], ['duration>500ms', ['POST /orders']], ['-queue=letters spans>3', ['POST /orders']], ['QUEUE=LETTERS', ['enqueue letters']],
    ]) {
      await q.fill(words);
      await shown(found);
    }
    stage.expected = /status of 400/;
    await q.fill('waited>soon');
    await page.getByRole('alert').getByText('a duration such as').waitFor();
    await q.fill('');
    await shown(['enqueue letters', 'POST /orders', 'GET /a']);
    await page.locator('input[name=waiting]').check();
    await shown(['enqueue letters']);
    await page.locator('input[name=waiting]').uncheck();
    await page.getByRole('button', { name: 'Spans' }).click();
    await at('#/?sort=spans');
    await page.waitForFunction(() => document.querySelector('tbody .title a')?.textContent === 'POST /orders');
  });
});
