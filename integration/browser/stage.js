// What the tests and the screenshots share: the program, built from this repository, on a
// free port, and a browser that reports everything that goes wrong in the page.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

export const root = fileURLToPath(new URL('../..', import.meta.url));

const browserFlags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run',
  '--disable-background-networking', '--disable-component-update', '--disable-sync',
  '--host-resolver-rules=MAP *.example 127.0.0.1']; // as a page that rebinds its name does

// By which factor the page's processor is slowed down. A test that passes at 1 and fails at
// 8 has a race.
const slowdown = Number(process.env.SLOWDOWN ?? 1);

export class Stage {
  folder = mkdtempSync(join(tmpdir(), 'mqtrace-browser-'));
  problems = []; // errors, dialogs, and requests to elsewhere, as text
  expected; // a pattern of those that are part of the test, if any
  #programs = [];
  #browser;

  async open() {
    execFileSync('go', ['build', '-o', join(this.folder, 'mqtrace'), './cmd/mqtrace'], { cwd: root, stdio: 'inherit' });
    this.#browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: browserFlags });
    return this;
  }

  async close() {
    await this.#browser?.close();
    for (const program of this.#programs) {
      program.kill('SIGTERM');
      if (program.exitCode === null) await once(program, 'exit');
      if (program.exitCode !== 0) this.problems.push(`mqtrace view exited with ${program.exitCode}`);
    }
    rmSync(this.folder, { recursive: true, force: true });
  }

  // view starts `mqtrace view` and returns its address.
  async view(...args) {
    const program = spawn(join(this.folder, 'mqtrace'), ['view', '-addr', '127.0.0.1:0', ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#programs.push(program);
    const [line] = await once(createInterface(program.stdout), 'line');
    return line;
  }

  #note(problem) {
    if (!this.expected?.test(problem)) this.problems.push(problem);
  }

  // page opens a page whose problems are noted.
  async page(base, options = {}) {
    const context = await this.#browser.newContext({ viewport: { width: 1280, height: 760 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(60_000); // to allow for a busy machine
    if (slowdown > 1) await (await context.newCDPSession(page)).send('Emulation.setCPUThrottlingRate', { rate: slowdown });
    page.on('pageerror', (error) => this.#note(`error: ${error}`));
    page.on('console', (message) => {
      // A trace that does not exist is answered with 404, which the browser reports.
      if (message.type() === 'error' && !message.text().includes('404')) this.#note(`console: ${message.text()}`);
    });
    page.on('dialog', (dialog) => {
      this.#note(`dialog: ${dialog.message()}`);
      dialog.dismiss();
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(base)) this.#note(`request to ${request.url()}`);
    });
    return page;
  }
}

// send exports traces to the program.
export async function send(base, ...traces) {
  for (const trace of traces) {
    const response = await fetch(`${base}/v1/traces`, {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(trace.otlp),
    });
    const answer = await response.json();
    if (!response.ok || answer.partialSuccess) throw new Error(`sending a trace: ${response.status} ${JSON.stringify(answer)}`);
  }
}

// runExample sends the traces of the order-notification example.
export function runExample(base) {
  execFileSync('go', ['run', './examples/order-notification'], {
    cwd: root, stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${base}/v1/traces`, OTEL_METRICS_EXPORTER: 'none', OTEL_LOGS_EXPORTER: 'none', MQTRACE_AMQP_URL: '', MQTRACE_REDIS_ADDR: '' },
  });
}
