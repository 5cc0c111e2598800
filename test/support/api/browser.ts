import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Duplex, Readable } from 'node:stream';
import { debianProgram } from '../debian-program.js';
import { eventually } from '../eventually.js';

/** A real browser without a window. It finds all hosts of `example.org` on this machine, and no other host. */
export interface Browser {
  /**
   * Opens a page and resolves when it is there.
   * @param prepare is called while the page is empty.
   */
  open(url: string, prepare?: (page: Page) => Promise<void>): Promise<Page>;
  /** Ends it and removes its profile. */
  close(): Promise<void>;
}

/** A page of the browser. */
export interface Page {
  /**
   * Runs a function in the page. Its text goes there, and JSON comes back: it reaches nothing of the test.
   * @throws Error with the page's words, where the function throws.
   */
  run<A extends readonly unknown[], R>(work: (...given: A) => R, ...given: A): Promise<Awaited<R>>;
  /** An order of the Chrome DevTools Protocol to the page. */
  order(method: string, params?: object): Promise<Record<string, unknown>>;
  /** Hears the events of the protocol that the page is asked for, each by its name. */
  onEvent(listener: (method: string, params: Record<string, unknown>) => void): void;
}

const FLAGS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--disable-sync'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-extensions', '--disable-quic'],
  '--host-resolver-rules=MAP *.example.org 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
  '--remote-debugging-pipe',
];

/** An answer of the browser, or the news of an event. */
interface Told {
  readonly id?: number;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly sessionId?: string;
  readonly error?: { readonly message: string };
  readonly result?: Record<string, unknown>;
}

/** An order of the Chrome DevTools Protocol, to a page or to the browser itself. */
type Order = (method: string, params?: object, sessionId?: unknown) => Promise<Record<string, unknown>>;

/**
 * Starts Chromium in about a second; the first start on a machine without it installs it. It ends when its pipe does, so it does not outlive this process.
 */
export async function startBrowser(): Promise<Browser> {
  // Debian's command is a script around it, which knows no other place
  const program = await debianProgram('chromium', '/usr/lib/chromium/chromium');
  const profile = await mkdtemp(join(tmpdir(), 'ccv-chromium-'));
  // where the package was unpacked, its libraries lie beside it
  const libraries = dirname(dirname(program));
  const found = [`${libraries}/x86_64-linux-gnu`, `${libraries}/aarch64-linux-gnu`].join(':');
  const child = spawn(program, [...FLAGS, `--user-data-dir=${profile}`], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
    env: { ...process.env, LD_LIBRARY_PATH: found },
  });
  let output = '';
  (child.stdio[2] as Readable).setEncoding('utf8').on('data', (chunk: string) => {
    output = (output + chunk).slice(-4_000);
  });
  const ended = once(child, 'close');
  const orders = child.stdio[3] as Duplex;
  const listeners = new Map<unknown, Parameters<Page['onEvent']>[0]>();
  const order = ordersOver(
    orders,
    child.stdio[4] as Readable,
    () => `the browser ended: ${output}`,
    ({ method = '', params = {}, sessionId }) => listeners.get(sessionId)?.(method, params),
  );
  return {
    async open(url, prepare) {
      const { targetId } = await order('Target.createTarget', { url: prepare ? 'about:blank' : url });
      const { sessionId } = await order('Target.attachToTarget', { targetId, flatten: true });
      const page: Page = {
        order: (method, params) => order(method, params, sessionId),
        onEvent: (listener) => listeners.set(sessionId, listener),
        async run(work, ...given) {
          const expression = `(${work})(...${JSON.stringify(given)})`;
          const params = { expression, awaitPromise: true, returnByValue: true };
          const { result, exceptionDetails } = await order('Runtime.evaluate', params, sessionId);
          if (exceptionDetails) throw new Error(JSON.stringify(exceptionDetails));
          return (result as { readonly value: never }).value;
        },
      };
      if (prepare) {
        await prepare(page);
        await page.order('Page.navigate', { url });
      }
      await eventually(`${url} is there`, () =>
        page.run((wanted) => Reflect.get(globalThis, 'location').href === wanted, new URL(url).href),
      );
      return page;
    },
    async close() {
      orders.end();
      await ended;
      await rm(profile, { recursive: true, force: true });
    },
  };
}

/** Messages of the pipe are JSON, each with a zero byte behind it. */
function ordersOver(orders: Duplex, told: Readable, ending: () => string, onEvent: (event: Told) => void): Order {
  const waiting = new Map<number, (answer: Told) => void>();
  let [last, text] = [0, ''];
  told.setEncoding('utf8').on('data', (chunk: string) => {
    const messages = (text + chunk).split('\0');
    text = messages.pop() ?? '';
    for (const message of messages) {
      const answer = JSON.parse(message) as Told;
      if (answer.id === undefined) onEvent(answer);
      waiting.get(answer.id ?? 0)?.(answer);
      waiting.delete(answer.id ?? 0);
    }
  });
  let isEnded = false;
  const end = () => {
    isEnded = true;
    for (const settle of waiting.values()) settle({ error: { message: ending() } });
    waiting.clear();
  };
  told.once('close', end);
  orders.on('error', end);
  return async (method, params = {}, sessionId) => {
    last += 1;
    const id = last;
    const answered = new Promise<Told>((settle) => waiting.set(id, settle));
    if (isEnded) end();
    else orders.write(`${JSON.stringify({ id, method, params, sessionId })}\0`);
    const { error, result = {} } = await answered;
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  };
}
