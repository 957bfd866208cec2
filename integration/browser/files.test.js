// Saving and opening traces, and the example's traces.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { at, base, open, page, row, shown, stage } from './harness.js';
import { runExample } from './stage.js';
import { order } from './traces.js';

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
    stage.expected = /status of 400/;
    await page.locator('#file').setInputFiles({ name: 'bad.json', mimeType: 'application/json', buffer: Buffer.from('hello') });
    await page.getByText('bad.json cannot be opened').waitFor();
  });

  test('is opened by the command', async () => {
    await open([], '/', {}, [join(stage.folder, 'saved.json')]);
    await shown(['POST /orders']);
  });
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
