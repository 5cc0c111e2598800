import { createInterface } from 'node:readline/promises';
import type { ConfigProblem } from '../../config/problems.js';
import { type ChainDraft, type ColdDraft, type Draft, draftProblems, type VerifierDraft } from './draft.js';

/** Asks a person until the answer is one. */
export interface Questions {
  /**
   * The answer to `question`, else `otherwise`. `check` gives the problems of an answer, which is then asked for again.
   */
  ask(question: string, check?: (answer: string) => readonly ConfigProblem[], otherwise?: string): Promise<string>;
  close(): void;
}

/** Questions on a terminal. */
export function createQuestions(
  input: NodeJS.ReadableStream = process.stdin,
  output: NodeJS.WritableStream = process.stderr,
): Questions {
  const lines = createInterface({ input, output });
  return {
    async ask(question, check = () => [], otherwise = '') {
      for (;;) {
        const hint = otherwise === '' ? '' : ` [${otherwise}]`;
        const answer = (await lines.question(`${question}${hint}: `)).trim() || otherwise;
        const problems = check(answer);
        if (problems.length === 0) return answer;
        for (const { message } of problems) output.write(`  ${message}\n`);
      }
    },
    close: () => lines.close(),
  };
}

/** Asks for the parts that `given` lacks. */
export async function askForDraft(
  { ask }: Questions,
  given: Partial<Omit<Draft, 'adminToken'>>,
): Promise<Omit<Draft, 'adminToken'>> {
  const database =
    given.database ??
    (await ask('Postgres, postgresql://user:password@host:5432/database', (uri) =>
      draftProblems({ database: uri === '' ? 'missing' : uri }),
    ));
  return {
    namespace: given.namespace ?? (await ask('Namespace', (namespace) => draftProblems({ namespace }), 'ccv')),
    database,
    chains: given.chains ?? (await each(() => askForChain(ask))),
    aggregators: given.aggregators ?? (await each(() => askForAggregator(ask))),
    verifiers: given.verifiers ?? (await each(() => askForVerifier(ask))),
    cold: given.cold === undefined ? await askForCold(ask) : given.cold,
  };
}

/** Until one is not named. */
async function each<T>(next: () => Promise<T | null>): Promise<readonly T[]> {
  const all: T[] = [];
  for (let one = await next(); one !== null; one = await next()) all.push(one);
  return all;
}

type Ask = Questions['ask'];

async function askForChain(ask: Ask): Promise<ChainDraft | null> {
  const name = await ask('Name of a chain (empty: no more)');
  if (name === '') return null;
  const sample: ChainDraft = { name, selector: '5009297550715157269', rpcUrls: ['https://node.acme.io'], onRamp: ANY };
  const problems = (key: string, part: Partial<ChainDraft>) =>
    of(key, draftProblems({ chains: [{ ...sample, ...part }] }));
  const selector = await ask('  CCIP chain selector', (text) => problems('Selector', { selector: text }));
  const rpcUrls = await ask('  RPC URLs, with spaces between them; two of different providers are best', (text) =>
    problems('RpcUrls', { rpcUrls: words(text) }),
  );
  const onRamp = await ask('  OnRamp address (empty: the chain sends none)', (text) =>
    text === '' ? [] : problems('OnRamp', { onRamp: text }),
  );
  const offRamp = await ask('  OffRamp address (empty: executions are not read)', (text) =>
    text === '' ? [] : problems('OffRamp', { offRamp: text }),
  );
  const startBlock = await ask(
    '  First block to read',
    (text) => problems('StartBlock', { startBlock: Number(text) }),
    '0',
  );
  return {
    ...{ name, selector, rpcUrls: words(rpcUrls), startBlock: Number(startBlock) },
    ...{ onRamp: onRamp || undefined, offRamp: offRamp || undefined },
  };
}

async function askForAggregator(ask: Ask): Promise<Draft['aggregators'][number] | null> {
  const address = await ask('Aggregator to find messages at, host:port (empty: no more)', (text) =>
    text === '' ? [] : draftProblems({ aggregators: [{ name: 'a', address: text }] }),
  );
  return address === '' ? null : { name: await ask('  Its name', undefined, address), address };
}

async function askForVerifier(ask: Ask): Promise<VerifierDraft | null> {
  const name = await ask('Name of a verifier (empty: no more)');
  if (name === '') return null;
  const placed = (text: string) => (/^https?:/i.test(text) ? { url: text } : { address: text });
  const place = await ask('  Its URL, or host:port of its aggregator', (text) =>
    draftProblems({ verifiers: [{ name, ...placed(text), issuers: [] }] }),
  );
  const issuers = await ask('  Addresses of its CCVs on source chains, with spaces between them', (text) =>
    of('IssuerAddresses', draftProblems({ verifiers: [{ name, url: 'https://acme.io', issuers: words(text) }] })),
  );
  return { name, ...placed(place), issuers: words(issuers) };
}

async function askForCold(ask: Ask): Promise<ColdDraft | null> {
  const place = await ask('Bucket for old records, or a directory that begins with / (empty: the database keeps all)');
  if (place === '') return null;
  if (place.startsWith('/')) return { directory: place };
  const endpoint = await ask('  Endpoint of the server (empty: AWS)', (text) =>
    text === '' ? [] : of('Endpoint', draftProblems({ cold: { bucket: place, endpoint: text } })),
  );
  const region = await ask('  Region', undefined, 'us-east-1');
  return { bucket: place, region, endpoint: endpoint || undefined };
}

/** An address that nothing is asked of. */
const ANY = `0x${'11'.repeat(20)}`;

function of(key: string, problems: readonly ConfigProblem[]): readonly ConfigProblem[] {
  return problems.filter(({ path }) => path.includes(`.${key}`));
}

function words(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((word) => word !== '');
}
