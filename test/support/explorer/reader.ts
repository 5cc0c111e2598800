import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, Page } from '../api/browser.js';
import { eventually } from '../eventually.js';

/** A reader of the page, in a tab of a real browser. */
export interface Reader {
  readonly page: Page;
  /** The visible text of the first element that a selector finds; empty: there is none. */
  text(selector: string): Promise<string>;
  /** Goes to a part of the page's address, from `#` on. */
  goTo(hash: string): Promise<void>;
  /** The part of the address from `#` on. */
  hash(): Promise<string>;
  click(selector: string): Promise<void>;
  /** Writes into a field and leaves it as by Enter. */
  write(selector: string, text: string): Promise<void>;
  /** Chooses an option of a list. */
  choose(selector: string, value: string): Promise<void>;
  /** Waits until an element has a text. */
  sees(selector: string, text: string | RegExp): Promise<void>;
  resize(width: number, height: number, scheme?: 'light' | 'dark'): Promise<void>;
  /** Serious findings of axe for what is shown, each with the elements. */
  findings(): Promise<string[]>;
  /** Brings the tab to the front; the one that was there is hidden from then on. */
  show(): Promise<void>;
  close(): Promise<void>;
  /** Everything that should not have been: requests to others, errors of the console, refused by the policy. */
  problems(): readonly string[];
}

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The parts of a document that a function in the page uses; tests have no types of the browser. */
interface Element {
  readonly innerText: string;
  value: string;
  click(): void;
  focus(): void;
  dispatchEvent(event: object): void;
}

declare const document: { querySelector(selector: string): Element | null; activeElement: Element | null };
declare const location: { hash: string };

export async function openReader(browser: Browser, url: string): Promise<Reader> {
  const problems: string[] = [];
  const { origin } = new URL(url);
  const page = await browser.open(url, async (empty) => {
    empty.onEvent((method, params) => problems.push(...problemsOf(method, params, origin)));
    for (const domain of ['Runtime', 'Log', 'Network', 'Page']) await empty.order(`${domain}.enable`);
  });
  const reader: Reader = {
    page,
    problems: () => problems,
    // biome-ignore lint/performance/useDomNodeTextContent: text as it is seen, without what is hidden
    text: (selector) => page.run((wanted) => document.querySelector(wanted)?.innerText ?? '', selector),
    show: async () => {
      await page.order('Page.bringToFront');
    },
    close: async () => {
      await page.order('Page.close');
    },
    hash: () => page.run(() => location.hash),
    goTo: (hash) =>
      page.run((wanted) => {
        location.hash = wanted;
      }, hash),
    async click(selector) {
      await isThere(page, selector);
      await page.run((wanted) => document.querySelector(wanted)?.click(), selector);
    },
    async write(selector, text) {
      await isThere(page, selector);
      await page.run((wanted) => document.querySelector(wanted)?.focus(), selector);
      await page.order('Input.insertText', { text });
      for (const type of ['keyDown', 'keyUp'])
        await page.order('Input.dispatchKeyEvent', { type, key: 'Enter', code: 'Enter', text: '\r', ...ENTER });
    },
    async choose(selector, value) {
      await isThere(page, selector);
      await page.run(
        (wanted, chosen) => {
          const list = document.querySelector(wanted);
          if (!list) return;
          list.value = chosen;
          list.dispatchEvent(new Event('change', { bubbles: true }));
        },
        selector,
        value,
      );
    },
    async sees(selector, text) {
      await eventually(`${selector} shows ${text}`, async () => {
        const shown = await reader.text(selector);
        return (typeof text === 'string' ? shown.includes(text) : text.test(shown)) || shown.slice(0, 300);
      });
    },
    async resize(width, height, scheme = 'light') {
      const mobile = width < 600;
      await page.order('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile });
      await page.order('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
    },
    async findings() {
      await page.order('Runtime.evaluate', { expression: `window.axe || ${AXE}; 0` });
      return await page.run(async () => {
        const { violations } = await Reflect.get(globalThis, 'axe').run();
        const serious = (violations as Violation[]).filter(
          ({ impact }) => impact === 'serious' || impact === 'critical',
        );
        return serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(' ')}`);
      });
    },
  };
  return reader;
}

const ENTER = { windowsVirtualKeyCode: 13 };

interface Violation {
  readonly id: string;
  readonly impact: string | null;
  readonly nodes: readonly { readonly html: string }[];
}

async function isThere(page: Page, selector: string): Promise<void> {
  await eventually(`${selector} is there`, () =>
    page.run((wanted) => document.querySelector(wanted) !== null, selector),
  );
}

/** The browser tells every answer that is no 200 as an error of the network: an unknown id is a 404. */
function problemsOf(method: string, params: Record<string, unknown>, origin: string): string[] {
  const said = JSON.stringify(params).slice(0, 500);
  switch (method) {
    case 'Network.requestWillBeSent': {
      const { url } = params['request'] as { readonly url: string };
      // the browser's own drawings of form fields are data
      return url.startsWith('data:') || new URL(url).origin === origin ? [] : [`request to another: ${url}`];
    }
    case 'Runtime.exceptionThrown':
      return [said];
    case 'Runtime.consoleAPICalled':
      return ['error', 'warning', 'assert'].includes(String(params['type'])) ? [said] : [];
    case 'Log.entryAdded': {
      const { level, source } = params['entry'] as Readonly<Record<string, string>>;
      return level === 'error' && source !== 'network' ? [said] : [];
    }
    default:
      return [];
  }
}
