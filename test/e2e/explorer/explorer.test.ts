import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Browser, startBrowser } from '../../support/api/browser.js';
import { type CliProcess, startDevnet } from '../../support/e2e/cli.js';
import { body } from '../../support/e2e/http.js';
import { e2eDirectory } from '../../support/e2e/service.js';
import { eventually } from '../../support/eventually.js';
import { openReader, type Reader } from '../../support/explorer/reader.js';

const [A, B] = ['3379446385462418246', '7759470850252068959'];
const SIZES = [
  [360, 780, 'light'],
  [768, 1024, 'dark'],
  [1280, 800, 'light'],
  [1920, 1080, 'dark'],
] as const;

interface Message {
  readonly messageId: string;
  readonly messageNumber: string;
  readonly sourceChainSelector: string;
  readonly sender: string;
  readonly receiver: string;
  readonly origin: { readonly transactionHash: string } | null;
}

const directory = e2eDirectory();
let browser: Browser;
let cli: CliProcess;
let [apiUrl, adminUrl] = ['', ''];
let reader: Reader;
let operator: Reader;
/** One from chain B, whose logs are read, that was executed. */
let executed: Message;

beforeAll(async () => {
  cli = startDevnet(['--port', '0', '--data', join(directory.path, 'data'), '--rate', '2']);
  const started = cli.printed(/^query API (\S+), admin port (\S+), data in /m);
  browser = await startBrowser();
  [, apiUrl = '', adminUrl = ''] = await started;
  reader = await openReader(browser, `${apiUrl}/`);
  await eventually('an executed message', async () => {
    const [oldest] = await messages(`source=${B}&order=oldest&limit=1`);
    if (!oldest) return 'no message';
    executed = oldest;
    return (await body(`${apiUrl}/v2/messages/${oldest.messageId}`)).includes('"state":"success"');
  });
});
afterAll(async () => {
  await browser.close();
  cli.interrupt();
  await cli.exited;
  directory.remove();
});

async function messages(query: string): Promise<readonly Message[]> {
  return (JSON.parse(await body(`${apiUrl}/v2/messages?${query}`)) as { messages: Message[] }).messages;
}

/** The ids in the rows, in short. */
async function rows(): Promise<string[]> {
  const text = await reader.text('table.messages tbody');
  return [...text.matchAll(/0x[0-9a-f]{6}…[0-9a-f]{6}/g)].map(([id]) => id);
}

async function addressIs(hash: string): Promise<void> {
  await eventually(`the address ends in ${hash}`, async () => (await reader.hash()) === hash || (await reader.hash()));
}

const short = (hex: string): string => `${hex.slice(0, 8)}…${hex.slice(-6)}`;

describe('the page in a browser', () => {
  it('finds a message by its id, its transaction, its sender and its receiver', async () => {
    const search = async (text: string) => {
      await reader.write('#search', text);
    };
    await search(executed.messageId.slice(2).toUpperCase());
    await reader.sees('h1', 'Message');
    await reader.sees('.lead', executed.messageId);
    await search(String(executed.origin?.transactionHash));
    await reader.sees('h1', 'Transaction');
    await reader.sees('table.messages', short(executed.messageId));
    for (const [role, address] of [
      ['sender', `0x${executed.sender.slice(-40)}`],
      ['receiver', executed.receiver],
    ] as const) {
      await search(address);
      await addressIs(`#/messages?${role}=${address}`);
      await reader.sees('table.messages', short(executed.messageId));
    }
    await search(`0x${'ab'.repeat(32)}`);
    await reader.sees('main', 'No message, transaction, sender or receiver');
    await search('not hex');
    await reader.sees('main', 'no id and no address');
  });

  it('tells the way of a message in time, with each required CCV', async () => {
    await reader.goTo(`#/message/${executed.messageId}`);
    // a busy machine may index a message after its verifier has attested
    for (const step of [/^Sent/, 'Indexed', 'Final', 'Verified by committee-', 'Executed'])
      await reader.sees('.timeline', step);
    await reader.sees('.timeline', /\+ (\d+ ms|\d+(\.\d)? s)/);
    await reader.sees('.summary', /verified\s+executed[\s\S]+number \d+[\s\S]+sent to executed/);
    await reader.sees('main', /(\d) of \1 have attested/);
    await reader.sees('main', B);
    const times = await reader.page.run(() =>
      [...Reflect.get(globalThis, 'document').querySelectorAll('.timeline time')].map(
        (time: { title: string; dateTime: string }) => [time.title, time.dateTime],
      ),
    );
    expect(times.length).toBeGreaterThan(3);
    for (const [title, dateTime] of times) expect(title).toBe(`${dateTime?.replace('T', ' ').replace('Z', '')} UTC`);
  });

  it('keeps its filters in the address, and goes back and forward through them', async () => {
    await reader.goTo('#/messages');
    await reader.sees('h1', 'Messages');
    await reader.choose('#filter-source', B);
    await addressIs(`#/messages?source=${B}`);
    await reader.choose('#filter-status', 'success');
    const both = `#/messages?source=${B}&status=success`;
    await addressIs(both);
    await reader.sees('table.messages', /B\s+to\s+A/);
    expect(await reader.text('table.messages')).not.toMatch(/A\s+to\s+B/);
    const back = () => reader.page.run(() => Reflect.get(globalThis, 'history').back());
    await back();
    await addressIs(`#/messages?source=${B}`);
    await back();
    await reader.sees('table.messages', /A\s+to\s+B/);
    await reader.page.run(() => Reflect.get(globalThis, 'history').go(2));
    await addressIs(both);
    const second = await openReader(browser, `${apiUrl}/${both}`);
    await second.sees('table.messages', /B\s+to\s+A/);
    expect(await second.page.run(() => Reflect.get(globalThis, 'document').querySelector('#filter-status').value)).toBe(
      'success',
    );
    expect(second.problems()).toEqual([]);
    await second.close();
    await reader.show();
  });

  it('shows new messages as they come, and says when it is not live', async () => {
    await reader.goTo('#/messages');
    await reader.sees('.live', 'Live');
    await eventually('rows', async () => (await rows()).length > 1);
    const before = new Set(await rows());
    await eventually('a message that was not there', async () => (await rows()).some((id) => !before.has(id)));
    const [newest] = await messages(`source=${B}&limit=1`);
    await reader.goTo(`#/message/${newest?.messageId}`);
    await reader.sees('.summary', /verified\s+executed/);
    const offline = (isOffline: boolean) =>
      reader.page.order('Network.emulateNetworkConditions', {
        ...{ offline: isOffline, latency: 0, downloadThroughput: -1, uploadThroughput: -1 },
      });
    // a hidden tab lets go of the feed, and asks for it again when it is seen
    const other = await browser.open(`${apiUrl}/openapi.json`);
    await reader.sees('.live', 'Connecting');
    await offline(true);
    await reader.show();
    await reader.sees('.live', 'Not live');
    await offline(false);
    await other.order('Page.close');
    await reader.sees('.live', /^Live/);
  });

  it('is used by keyboard alone', async () => {
    await reader.goTo(`#/messages`);
    await reader.page.order('Page.reload');
    await reader.sees('table.messages', '0x');
    const press = async (key: string) => {
      for (const type of ['keyDown', 'keyUp'])
        await reader.page.order('Input.dispatchKeyEvent', { type, key, code: key });
    };
    const focused = () =>
      reader.page.run(() => Reflect.get(globalThis, 'document').activeElement.textContent as string);
    await press('Tab');
    expect(await focused()).toBe('Skip to the content');
    await press('Tab');
    expect(await focused()).toContain('CCV indexer');
  });
});

describe('the figures in a browser', () => {
  it('are those of the whole index, of verifiers, and of lanes as a table and as charts that have tables', async () => {
    await reader.goTo('#/verifiers');
    await reader.sees('table.rows tbody', /committee-first\s+0x[\s\S]+closed/);
    await reader.goTo('#/messages');
    await reader.sees('.strip', /Messages\s+\d+[\s\S]+Gaps\s+0\s+in 2 lanes/);
    await reader.goTo('#/lanes');
    await reader.sees('table.rows tbody', /A\s+to\s+B[\s\S]+none/);
    await reader.click(`a[href="#/lane/${B}-${A}"]`);
    await reader.sees('h1', /B\s+to\s+A/);
    await reader.sees('main', /From sent to verified[\s\S]+Without a gap through\s+\d/);
    await reader.click('.chart summary');
    await reader.sees('.chart table', /From\s+sent\s+verified\s+executed\s+\d\d:\d\d\s+\d/);
  });
});

describe('the page of operators', () => {
  beforeAll(async () => {
    operator = await openReader(browser, `${adminUrl}/`);
  });

  it('shows sources, tiers, plans, work and quarantine, beside all that others see', async () => {
    await operator.sees('nav', /Messages[\s\S]+Lanes[\s\S]+Sources[\s\S]+Storage[\s\S]+Plan[\s\S]+Work/);
    await operator.goTo('#/sources');
    await operator.sees('main', /Chain A[\s\S]+following[\s\S]+Head\s+\d[\s\S]+Chain B[\s\S]+committee-first/);
    await operator.goTo('#/storage');
    await operator.sees('main', /hot[\s\S]+warm[\s\S]+cold[\s\S]+from the beginning until[\s\S]+leader/);
    await operator.goTo('#/plan');
    await operator.sees('.bars', /hot|warm|cold/);
    await operator.choose('#plan-kind', 'verifierresults');
    await eventually('the plan in the address', async () => (await operator.hash()) === '#/plan?kind=verifierresults');
    await operator.goTo('#/work');
    await operator.sees('main', /Tasks[\s\S]+waiting[\s\S]+committee-first\s+closed[\s\S]+epoch 1/);
    await operator.goTo('#/quarantine');
    await operator.sees('main', /Nothing is in quarantine[\s\S]+There is no conflict/);
    await operator.goTo(`#/message/${executed.messageId}`);
    await operator.sees('.summary', /verified\s+executed/);
    await operator.goTo('#/messages');
    await operator.sees('.live', /^Live/);
    expect(operator.problems()).toEqual([]);
  });
});

describe('every view', () => {
  const VIEWS: readonly (readonly [of: 'reader' | 'operator', place: string, sign: RegExp])[] = [
    ['reader', 'messages', /0x/],
    ['reader', 'message', /Encoded message/],
    ['reader', 'tx', /Sent messages/],
    ['reader', 'lanes', /none/],
    ['reader', 'lane', /Last 24 hours/],
    ['reader', 'verifiers', /closed/],
    ['operator', 'sources', /Chain B/],
    ['operator', 'storage', /healthy/],
    ['operator', 'plan', /not \w+:/],
    ['operator', 'work', /epoch/],
    ['operator', 'quarantine', /no conflict/],
  ];

  it.each(SIZES)(
    'is read without sideways scrolling, and axe finds nothing serious, at %i × %i, %s',
    async (width, height, scheme) => {
      const hashes: Readonly<Record<string, string>> = {
        message: `#/message/${executed.messageId}`,
        tx: `#/tx/${executed.origin?.transactionHash}`,
        lane: `#/lane/${B}-${A}`,
      };
      for (const tab of [reader, operator]) await tab.resize(width, height, scheme);
      for (const [of, place, sign] of VIEWS) {
        const tab = of === 'reader' ? reader : operator;
        await tab.show();
        await tab.goTo(hashes[place] ?? `#/${place}`);
        await tab.sees('main', sign);
        const [needed, there] = await tab.page.run(() => [
          Reflect.get(globalThis, 'document').documentElement.scrollWidth as number,
          Reflect.get(globalThis, 'innerWidth') as number,
        ]);
        expect(needed, place).toBeLessThanOrEqual(there ?? 0);
        expect(await tab.findings(), place).toEqual([]);
      }
    },
  );

  it('asked nothing of another server, broke no policy and had no error', () => {
    expect([...reader.problems(), ...operator.problems()]).toEqual([]);
  });
});
