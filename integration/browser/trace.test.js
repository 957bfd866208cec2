// A trace: its waterfall, links, and the details of a span.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { at, base, open, page, row, selected, shown } from './harness.js';
import { large, newTraceID, order, settlement, simple, Trace } from './traces.js';

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

  test('a click on a span shows its details', async () => {
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

  test('is zoomed to a span, and back', async () => {
    const { trace } = order(0);
    await open([trace], `/#/trace/${trace.id}`);
    await row('publish orders').waitFor();
    const share = async (name) => {
      const [bar, axis] = [await row(name).locator('.bar').boundingBox(), await row(name).locator('.when').boundingBox()];
      return (bar.width / axis.width).toFixed(2);
    };
    const whole = await share('check inventory');
    for (let n = 0; n < 2; n++) await page.keyboard.press('j');
    await page.keyboard.press('z');
    assert.equal(await share('POST /payments'), '1.00');
    assert.equal(await row('check inventory').locator('.bar').count(), 0, 'it ended before');
    assert.equal(await row('publish orders').locator('.beyond').textContent(), '▸');
    await page.locator('.tick', { hasText: '+' }).first().waitFor();
    const marks = await page.locator('.tick').allTextContents();
    assert.ok(marks.length > 2 && marks.slice(1).every((mark) => mark.startsWith('+')), `the axis counts from where the span begins: ${marks}`);
    assert.equal(new Set(marks).size, marks.length, `marks are told apart: ${marks}`);
    await page.getByRole('button', { name: 'Whole trace' }).click();
    assert.equal(await share('check inventory'), whole);
    await row('process order-mails', 1).locator('.when').dblclick();
    await page.getByRole('button', { name: 'Whole trace' }).waitFor();
    const wait = await row('process order-mails', 1).locator('.wait').boundingBox();
    const axis = await row('process order-mails', 1).locator('.when').boundingBox();
    assert.ok(Math.abs(wait.x - axis.x) < 2, 'the zoom includes the wait');
    await page.locator('.scroller').focus();
    await page.keyboard.press('z');
    await page.getByRole('button', { name: 'Whole trace' }).waitFor({ state: 'hidden' });
    await row('publish orders').locator('.when').dblclick({ button: 'right' });
    await page.locator('aside', { hasText: 'Resource' }).waitFor();
    assert.ok(await page.getByRole('button', { name: 'Whole trace' }).isHidden(), 'only the first button zooms');
  });

  test('zooms on a double click, even if the first click moves the row under the pointer', async () => {
    const { trace } = order(0);
    await open([trace]);
    const covered = ([x, y]) => Boolean(document.elementFromPoint(x, y)?.closest('aside'));
    for (const opens of ['at the end', 'between', 'while pressed']) { // when the details do
      await page.goto(`${base}/#/trace/${trace.id}`);
      await page.locator('aside').waitFor({ state: 'hidden' });
      const box = await row('publish orders').locator('.when').boundingBox();
      const point = [box.x + box.width - 20, box.y + box.height / 2];
      await page.mouse.click(...point);
      if (opens === 'between') await page.waitForFunction(covered, point);
      await page.mouse.down({ clickCount: 2 });
      if (opens === 'while pressed') await page.waitForFunction(covered, point);
      await page.mouse.up({ clickCount: 2 });
      await page.getByRole('button', { name: 'Whole trace' }).click();
      await page.waitForFunction(covered, point);
      assert.equal(await selected(), 'publish orders');
    }
  });

  test('shows how long a span took wherever there is room', async () => {
    const t = new Trace();
    const root = t.span('a', 'all of it', 'internal', 0, 1000);
    const sent = t.span('a', 'publish orders', 'producer', 0, 10, { parent: root });
    t.span('b', 'process orders', 'consumer', 990, 1000, { parent: sent });
    await open([t], `/#/trace/${t.id}`);
    await row('process orders').waitFor();
    for (const [name, text] of [['all of it', '1.00s'], ['publish orders', '10.0ms'], ['process orders', 'waited in orders 980ms']]) {
      const label = row(name).locator('.took span', { hasText: text });
      assert.ok(await label.evaluate((e) => e.clientWidth > 0 && e.scrollWidth <= e.parentElement.clientWidth), `${text} is not cut`);
      const [box, bar] = [await label.boundingBox(), await row(name).locator('.bar').boundingBox()];
      if (name === 'process orders') assert.ok(box.x + box.width <= bar.x + 1, 'it does not hide the span');
    }
  });

  test('grows while it is shown', async () => {
    const t = new Trace();
    const root = t.span('a', 'slow job', 'internal', 0, 1000);
    await open([t], `/#/trace/${t.id}`);
    await row('slow job').waitFor();
    t.span('b', 'late step', 'internal', 900, 990, { parent: root });
    await fetch(`${base}/v1/traces`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(t.otlp) });
    await row('late step').waitFor();
  });

  test('an unknown one is reported', async () => {
    await open([], `/#/trace/${newTraceID()}`);
    await page.getByText('not found: it was not received').waitFor();
    await page.keyboard.press('Escape');
    await page.getByText('No traces yet').waitFor();
  });

  test('of 10,000 spans is usable within two seconds', async () => {
    const t = large(0, 10000);
    await open([t]);
    await shown(['import catalogue']);
    const attempts = [];
    for (let n = 0; n < 3; n++) { // The best of them is due to the page, the others to the machine too.
      if (n > 0) await page.locator('.back').click();
      const began = Date.now();
      await page.locator('tbody a').click();
      await row('publish items').waitFor();
      await page.keyboard.press('End');
      await page.waitForFunction(() => document.querySelector('.row[aria-selected=true]')?.getBoundingClientRect().bottom <= innerHeight);
      attempts.push(Date.now() - began);
    }
    const took = Math.min(...attempts);
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
