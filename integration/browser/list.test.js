// The list of traces and its search.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { base, names, open, page, row, shown } from './harness.js';
import { send } from './stage.js';
import { order, settlement, simple } from './traces.js';

describe('the list', () => {
  test('says where to send traces, and shows them as they arrive', async () => {
    await open();
    await page.getByText(`export OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=${base}/v1/traces`, { exact: true }).waitFor();
    await page.getByText('OTEL_METRICS_EXPORTER=none OTEL_LOGS_EXPORTER=none', { exact: true }).waitFor();
    const { trace } = order(0);
    await send(base, trace);
    await shown(['POST /orders']);
    const text = await page.locator('tbody tr').innerText();
    for (const part of ['order-api', '1.01s', '≤ 733ms', '14', '4', trace.id.slice(0, 8), 'order-mails.dead']) assert.ok(text.includes(part), `${part} in ${text}`);
  });

  test('does not move rows while somebody reads', async () => {
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

  test('can be searched by everything', async () => {
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
    await page.getByText('No traces match').waitFor();
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
