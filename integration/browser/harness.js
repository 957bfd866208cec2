// Gives each test a program and a page, and fails the test if either has problems.
import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { send, Stage } from './stage.js';

export const stage = new Stage();
export let base, page; // of the test that runs

before(() => stage.open());
after(async () => {
  await stage.close();
  assert.deepEqual(stage.problems, []);
});
afterEach(async () => {
  await page?.context().close();
  page = undefined;
  stage.expected = undefined;
  assert.deepEqual(stage.problems.splice(0), []);
});

// open starts a program with these traces in it and opens its page.
export async function open(traces = [], path = '/', options = {}, args = []) {
  base = await stage.view(...args);
  await send(base, ...traces);
  page = await stage.page(base, options);
  await page.goto(base + path);
}

export const names = () => page.locator('tbody .title a').allTextContents();
export const shown = (list) => page.waitForFunction((wanted) =>
  JSON.stringify([...document.querySelectorAll('tbody .title a')].map((a) => a.textContent)) === JSON.stringify(wanted), list);
export const row = (name, nth = 0) => page.locator('.row.span', { has: page.locator('.name', { hasText: name }) }).nth(nth);
export const at = (hash) => page.waitForFunction((wanted) => location.hash === wanted, hash);
export const selected = () => page.locator('.row[aria-selected=true] .name').textContent();
