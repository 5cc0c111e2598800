import { randomBytes } from 'node:crypto';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { checkConfig } from '../../config/load.js';
import { ConfigError, formatProblem } from '../../config/problems.js';
import { InvalidArgumentError } from '../../core/errors.js';
import { type ChainDraft, type ColdDraft, type Draft, draftFiles, draftProblems, type VerifierDraft } from './draft.js';
import { askForDraft, createQuestions } from './questions.js';

/** Options of `config init`. Specifications are `key=value` pairs with commas between them. */
export interface InitOptions {
  readonly output: string;
  readonly secretsOutput: string;
  readonly force?: boolean;
  readonly namespace?: string;
  readonly database?: string;
  readonly chain?: readonly string[];
  readonly aggregator?: readonly string[];
  readonly verifier?: readonly string[];
  readonly bucket?: string;
  readonly region?: string;
  readonly endpoint?: string;
  readonly coldDirectory?: string;
}

/** Only the owner may read: URLs of nodes have keys in them. */
const FILE_MODE = 0o600;
const TOKEN_BYTES = 32;

/**
 * Writes a configuration and its secrets file, from the options, and from answers where `--database` is not given and a
 * terminal is there. Both are checked before a file is written.
 * @throws InvalidArgumentError, ConfigError
 */
export async function runInit(options: InitOptions, isTerminal = process.stdin.isTTY === true): Promise<void> {
  for (const file of [options.output, options.secretsOutput])
    if (existsSync(file) && options.force !== true)
      throw new InvalidArgumentError(`${file} exists: name another file, or pass --force to write it anew`);
  const draft = { ...(await draftOf(options, isTerminal)), adminToken: randomBytes(TOKEN_BYTES).toString('hex') };
  const problems = draftProblems(draft);
  if (problems.length > 0) throw new ConfigError('the configuration that you describe', problems);
  const { config, secrets } = draftFiles(draft);
  writeOwn(options.output, config);
  writeOwn(options.secretsOutput, secrets);
  const { warnings } = checkConfig({ file: options.output, secretsFile: options.secretsOutput });
  const files = `-c ${options.output} -s ${options.secretsOutput}`;
  const lines = [
    `wrote ${options.output} and ${options.secretsOutput}, which only you can read`,
    ...warnings.map((warning) => `warning: ${formatProblem(warning)}`),
    'next:',
    `  ccv-indexer config check ${files} --online`,
    `  ccv-indexer migrate up ${files}`,
    `  ccv-indexer start ${files}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** A file that is there keeps its mode when it is written: it goes first. */
function writeOwn(file: string, text: string): void {
  rmSync(file, { force: true });
  writeFileSync(file, text, { mode: FILE_MODE, flag: 'wx' });
}

async function draftOf(options: InitOptions, isTerminal: boolean): Promise<Omit<Draft, 'adminToken'>> {
  const given = {
    ...(options.namespace === undefined ? {} : { namespace: options.namespace }),
    ...(options.chain ? { chains: options.chain.map(chainOf) } : {}),
    ...(options.aggregator ? { aggregators: options.aggregator.map(aggregatorOf) } : {}),
    ...(options.verifier ? { verifiers: options.verifier.map(verifierOf) } : {}),
    ...coldOf(options),
  };
  const { database } = options;
  if (database !== undefined)
    return { namespace: 'ccv', chains: [], aggregators: [], verifiers: [], cold: null, ...given, database };
  if (!isTerminal)
    throw new InvalidArgumentError(
      'there is no terminal to ask at: pass --database, and what else you have; see --help',
    );
  const questions = createQuestions();
  try {
    return await askForDraft(questions, given);
  } finally {
    questions.close();
  }
}

function coldOf({ bucket, region, endpoint, coldDirectory }: InitOptions): { readonly cold?: ColdDraft } {
  if (coldDirectory !== undefined) return { cold: { directory: coldDirectory } };
  return bucket === undefined ? {} : { cold: { bucket, region, endpoint } };
}

function chainOf(text: string): ChainDraft {
  const { one, all } = specification('chain', text, ['name', 'selector', 'rpc', 'onramp', 'offramp', 'start']);
  const start = one('start');
  return {
    ...{ name: one('name') ?? '', selector: one('selector') ?? '', rpcUrls: all('rpc') },
    ...{ onRamp: one('onramp'), offRamp: one('offramp') },
    startBlock: start === undefined ? undefined : Number(start),
  };
}

function aggregatorOf(text: string): Draft['aggregators'][number] {
  const { one } = specification('aggregator', text, ['name', 'address']);
  const address = one('address') ?? '';
  return { name: one('name') ?? address, address };
}

function verifierOf(text: string): VerifierDraft {
  const { one, all } = specification('verifier', text, ['name', 'url', 'address', 'issuer']);
  return { name: one('name') ?? '', url: one('url'), address: one('address'), issuers: all('issuer') };
}

function specification(what: string, text: string, keys: readonly string[]) {
  const pairs = text.split(',').map((pair): [string, string] => {
    const [key = '', ...rest] = pair.split('=');
    if (!keys.includes(key.trim()) || rest.length === 0)
      throw new InvalidArgumentError(`--${what} has "${pair}": write ${keys.map((each) => `${each}=…`).join(',')}`);
    return [key.trim(), rest.join('=').trim()];
  });
  const all = (wanted: string) => pairs.filter(([key]) => key === wanted).map(([, value]) => value);
  return { all, one: (wanted: string) => all(wanted).at(-1) };
}
