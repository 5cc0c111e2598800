/**
 * Takes the pictures of the page for its README, of a running quickstart (`npm start`), at four sizes, light and dark,
 * and prints the findings of axe for every view at each: `npm run pictures -- [API URL] [admin URL]`.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { startBrowser } from '../../test/support/api/browser.js';
import { openReader } from '../../test/support/explorer/reader.js';

const [, , apiUrl = 'http://127.0.0.1:8100', adminUrl = 'http://127.0.0.1:8101'] = process.argv;
const FOLDER = resolve(import.meta.dirname, '../../src/explorer/pictures');
/** Each size shows another view. */
const SIZES = [
  { width: 360, height: 780, shows: 'message' },
  { width: 768, height: 1024, shows: 'lane' },
  { width: 1280, height: 600, shows: 'messages' },
  { width: 1920, height: 1080, shows: 'storage' },
] as const;

const OPERATORS: ReadonlySet<string> = new Set(['sources', 'storage', 'plan', 'work', 'quarantine']);

/** Where each view is, and a text that it has once it is there. */
async function viewsOf(): Promise<Readonly<Record<string, readonly [hash: string, sign: RegExp]>>> {
  const answer = await fetch(`${apiUrl}/v2/messages?status=success&order=newest&limit=20`);
  const { messages } = (await answer.json()) as { messages: Message[] };
  // one whose log was read, and old enough to be executed
  const message = messages.filter(({ origin }) => origin !== null).at(-1);
  if (!message?.origin)
    throw new Error('no verified message whose log was read is among the last 20: start again later');
  const lane = `${message.sourceChainSelector}-${message.destChainSelector}`;
  return {
    messages: ['#/messages', /0x/],
    message: [`#/message/${message.messageId}`, /Encoded message/],
    tx: [`#/tx/${message.origin.transactionHash}`, /Sent messages/],
    lanes: ['#/lanes', /none/],
    lane: [`#/lane/${lane}`, /Last 24 hours/],
    verifiers: ['#/verifiers', /closed/],
    sources: ['#/sources', /Head/],
    storage: ['#/storage', /healthy/],
    plan: ['#/plan', /not \w+:/],
    work: ['#/work', /epoch/],
    quarantine: ['#/quarantine', /conflict/],
  };
}

interface Message {
  readonly messageId: string;
  readonly sourceChainSelector: string;
  readonly destChainSelector: string;
  readonly origin: { readonly transactionHash: string } | null;
}

const views = await viewsOf();
const browser = await startBrowser();
try {
  const reader = await openReader(browser, `${apiUrl}/`);
  const operator = await openReader(browser, `${adminUrl}/`);
  await mkdir(FOLDER, { recursive: true });
  for (const { width, height, shows } of SIZES)
    for (const scheme of ['light', 'dark'] as const) {
      for (const [name, [hash, sign]] of Object.entries(views)) {
        const tab = OPERATORS.has(name) ? operator : reader;
        await tab.show();
        await tab.resize(width, height, scheme);
        await tab.goTo(hash);
        await tab.sees('main', sign);
        await tab.sees('.live', /^Live/);
        const findings = await tab.findings();
        console.log(`${width} × ${height} ${scheme} ${name}: ${findings.length} serious`, ...findings);
        if (name !== shows) continue;
        const { data } = await tab.page.order('Page.captureScreenshot', { format: 'png' });
        await writeFile(resolve(FOLDER, `${name}-${width}-${scheme}.png`), Buffer.from(String(data), 'base64'));
      }
    }
  console.log('problems:', [...reader.problems(), ...operator.problems()]);
} finally {
  await browser.close();
}
