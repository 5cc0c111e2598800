import { onRampsOf } from '../../../config/checks/chain-identity.js';
import type { ChainSection, Config } from '../../../config/schema/schema.js';
import type { Common } from '../../../core/common.js';
import { AbortedError, messagesOf, toError } from '../../../core/errors.js';
import type { Hex } from '../../../core/hex.js';
import { outsideText } from '../../../core/outside-text.js';
import { readLane } from '../../../model/payload.js';
import type { MessageBody, SourceCursor, StoredExecution } from '../../../model/records.js';
import { type Remarks, remarksAbout } from '../../../storage/postgres/diagnosis/remarks.js';
import { backendSections, type NamedSection } from '../../backend-sections.js';
import { databaseSections, withDatabase } from '../databases.js';
import { type HeldRecords, heldBy, heldDifferently } from '../held-records.js';
import { type LoneBackend, recordSection, withBackend } from '../record.js';
import type { Asked, InspectedSource } from './asked.js';
import { type CCVVerdict, judgeCCVs } from './ccv-verdicts.js';
import type { NodeAnswer } from './chain-look.js';

/** One durable tier, asked by itself. */
export interface InspectedTier {
  readonly backend: string;
  readonly type: 'postgres' | 's3';
  readonly held: Asked<HeldRecords>;
}

/** The source chain of the message, by the word of each of its nodes. */
export interface InspectedChain {
  readonly name: string;
  readonly nodes: readonly { readonly url: number; readonly answer: Asked<NodeAnswer> }[];
}

/** All that the parts of a system know of one message. */
export interface Inspection {
  readonly messageId: Hex;
  readonly atMs: number;
  /** As a tier or a source tells it; null: none knows the message. */
  readonly body: MessageBody | null;
  readonly tiers: readonly InspectedTier[];
  /** Records that two tiers hold with other bytes, in words. */
  readonly differences: readonly string[];
  readonly remarks: readonly { readonly backend: string; readonly about: Asked<Remarks> }[];
  /** On its destination chain, by the tier that leads. */
  readonly executions: Asked<readonly StoredExecution[]>;
  /** Of the source chain, and of aggregators. */
  readonly cursors: Asked<readonly SourceCursor[]>;
  /** Null: the source chain is not configured with an OnRamp, or not known. */
  readonly chain: InspectedChain | null;
  readonly sources: readonly InspectedSource[];
  readonly ccvs: readonly CCVVerdict[];
}

/** The means of an inspection. */
export interface InspectOptions {
  readonly config: Config;
  readonly common: Common;
  /** The longest that one part may take, ms. */
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

/** Asks every durable tier, the nodes of the source chain, every verifier and every aggregator; it only reads. */
export async function inspectMessage(messageId: Hex, options: InspectOptions): Promise<Inspection> {
  const { config, common } = options;
  const [tiers, remarks, cursors, executions, sources] = await Promise.all([
    askTiers(messageId, options),
    askRemarks(messageId, options),
    askRecord(options, (backend) => backend.listCursors()),
    askRecord(options, (backend) => backend.getExecutions(messageId)),
    askSources(messageId, options),
  ]);
  const held = tiers.flatMap((tier) => ('value' in tier.held ? [tier.held.value] : []));
  const records = held.flatMap((each) => [...each.records.values()]);
  const answers = sources.flatMap(({ answer }) =>
    'value' in answer && 'body' in answer.value ? [answer.value.body] : [],
  );
  const body = records[0]?.record ?? answers[0] ?? null;
  const origin = records.flatMap(({ kind, record }) => (kind === 'message' && record.origin ? [record.origin] : []))[0];
  const source = body ? readLane(body.encodedMessage).sourceChainSelector : null;
  const section = config.Chain.find((chain) => chain.Selector === source && onRampsOf(chain).length > 0);
  const chain = section ? await askChain(section, { messageId, origin: origin ?? null }, options) : null;
  return {
    ...{ messageId, atMs: common.clock.nowMs(), body, tiers, remarks, executions, chain, sources },
    differences: held.flatMap((each, at) => held.slice(at + 1).flatMap((other) => heldDifferently(each, other))),
    cursors: 'value' in cursors ? { value: cursors.value.filter(isAbout(source)) } : cursors,
    ccvs: body ? judgeCCVs(body.messageCCVAddresses, records, sources, config) : [],
  };
}

function isAbout(source: bigint | null) {
  return ({ sourceId }: SourceCursor) =>
    sourceId.startsWith('discovery:') || (source !== null && sourceId.split(':').includes(String(source)));
}

async function askTiers(messageId: Hex, options: InspectOptions): Promise<readonly InspectedTier[]> {
  const sections = backendSections(options.config).flatMap((section) =>
    section.Type === 'memory' ? [] : [{ section, type: section.Type }],
  );
  return await Promise.all(
    sections.map(async ({ section, type }) => ({
      ...{ backend: section.Name, type },
      held: await asked(options, () => withBackend(section, options, (backend) => heldBy(backend, messageId))),
    })),
  );
}

async function askRemarks(messageId: Hex, options: InspectOptions): Promise<Inspection['remarks']> {
  const look = (section: NamedSection) =>
    withDatabase(section, { ...options, isFull: false }, (diagnosis) => remarksAbout(diagnosis, messageId));
  return await Promise.all(
    databaseSections(options.config).map(async (section) => ({
      ...{ backend: section.Name, about: await asked(options, () => look(section)) },
    })),
  );
}

/** Asks the backend that leads; without one there is nothing to ask. */
async function askRecord<T>(
  options: InspectOptions,
  ask: (backend: LoneBackend) => Promise<readonly T[]>,
): Promise<Asked<readonly T[]>> {
  const record = recordSection(options.config);
  if (!record) return { value: [] };
  return await asked(options, () => withBackend(record, options, ask));
}

async function askSources(messageId: Hex, options: InspectOptions): Promise<readonly InspectedSource[]> {
  const { Verifier, Discoveries } = options.config;
  if (Verifier.length + Discoveries.length === 0) return [];
  // clients of services that this system does not have are not loaded
  const { askAggregator, askVerifier } = await import('./source-answers.js');
  const { common } = options;
  return await Promise.all([
    ...Verifier.map(async (section) => ({
      ...{ name: section.Name, kind: 'verifier' as const },
      answer: await asked(options, (signal) => askVerifier(section, messageId, common, signal)),
    })),
    ...Discoveries.map(async (section) => ({
      ...{ name: section.Name, kind: 'aggregator' as const },
      answer: await asked(options, (signal) => askAggregator(section, messageId, common, signal)),
    })),
  ]);
}

async function askChain(
  section: ChainSection,
  message: Parameters<typeof import('./chain-look.js')['askNode']>[2],
  options: InspectOptions,
): Promise<InspectedChain> {
  const { askNode } = await import('./chain-look.js');
  const { common } = options;
  const nodes = section.RpcUrls.map(async (_, url) => ({
    ...{ url, answer: await asked(options, (signal) => askNode(section, url, message, { common, signal })) },
  }));
  return { name: section.Name, nodes: await Promise.all(nodes) };
}

/** The answer of a part within its limit; a part that fails is told as that, and holds up no other. */
async function asked<T>(
  { common, limitMs, signal }: InspectOptions,
  ask: (signal: AbortSignal) => Promise<T>,
): Promise<Asked<T>> {
  const ending = new AbortController();
  const stop = () => ending.abort();
  const cancel = common.clock.after(limitMs, stop);
  signal.addEventListener('abort', stop, { once: true });
  const ended = new Promise<never>((_, reject) => {
    ending.signal.addEventListener('abort', () => reject(new AbortedError('an inspection')), { once: true });
  });
  try {
    return { value: await Promise.race([ask(ending.signal), ended]) };
  } catch (thrown) {
    if (signal.aborted) throw thrown;
    if (ending.signal.aborted) return { unavailable: `no answer within ${limitMs} ms` };
    return { unavailable: outsideText(messagesOf(toError(thrown)).join(': '), 500) };
  } finally {
    cancel();
    signal.removeEventListener('abort', stop);
  }
}
