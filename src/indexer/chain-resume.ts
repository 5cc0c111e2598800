import type { ChainStore, UnfinalizedExecution, UnfinalizedMessage } from '../chains/chain-port.js';
import { RpcError } from '../chains/rpc/rpc-errors.js';
import type { ChainHeads, RpcNode } from '../chains/rpc/rpc-node.js';
import type { RpcPool } from '../chains/rpc/rpc-pool.js';
import { IndexerError } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import type { CursorMove, ExecutionOrphaning, Orphaning } from '../model/batch.js';
import { logIdentity } from '../model/identity.js';
import type { SourceCursor } from '../model/records.js';
import type { Storage } from '../storage/storage.js';

/** A chain that cannot be set back as asked: the message says why, and the way out. */
class ResumeError extends IndexerError {
  constructor(code: string, message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(code, message, false, { details });
  }
}

/** The answer of one URL about the block that the cursors are set back to. */
export interface ResumeNode {
  readonly url: number;
  /** Null when it gave no answer or does not have the block. */
  readonly hash: Hex | null;
  readonly head: number | null;
}

/** The effect of setting a chain back. */
export interface ResumePlan {
  /** The first block that is read again. */
  readonly from: number;
  /** Hash of the block before it. */
  readonly hash: Hex;
  readonly nodes: readonly ResumeNode[];
  /** Cursors that are set back. */
  readonly cursors: readonly SourceCursor[];
  /** Cursors that stand below `from` and stay. */
  readonly untouched: readonly SourceCursor[];
  /** Stored messages from `from` on that lists show. */
  readonly storedMessages: number;
  /** Of those, how many are in blocks that are not on the chain any more. */
  readonly goneMessages: number;
  /** Of those, the ones that no watcher would come across: they leave the lists together with the set-back. */
  readonly orphanings: readonly Orphaning[];
  /** The same of executions. */
  readonly executionOrphanings: readonly ExecutionOrphaning[];
}

/** Where a chain's messages and executions are listed from. */
export type RecordLister = Pick<ChainStore, 'messagesAbove' | 'executionsAbove'>;

type ListedRecord = UnfinalizedMessage | UnfinalizedExecution;

/** The parts of planning. */
export interface ResumeOptions {
  readonly chain: string;
  readonly storage: Pick<Storage, 'getCursor'>;
  /** Every source of the chain. */
  readonly sources: readonly string[];
  readonly listed: RecordLister;
  /** Where records are that were pruned; null when none were. */
  readonly archived: RecordLister | null;
  readonly rpc: RpcPool;
  readonly from: number;
  readonly signal: AbortSignal;
}

/**
 * Stored records of so many blocks below `from` are looked at: one that is not where it was shows that `from` is too
 * high.
 */
const LOOK_BELOW_BLOCKS = 10_000;
const HEADERS_AT_ONCE = 1_000;

/**
 * Plans how to set a chain back, and changes nothing.
 *
 * Records that are listed are left to the watcher: it reads their blocks again, and orphans those that are gone. It
 * does not know of those that were pruned, nor reads above the head of a chain that became shorter: these are in
 * `orphanings` and `executionOrphanings`.
 * @throws ResumeError, RpcError
 */
export async function planResume(options: ResumeOptions): Promise<ResumePlan> {
  const { chain, storage, sources, listed, archived, rpc, from, signal } = options;
  const found = await Promise.all(sources.map((source) => storage.getCursor(source)));
  const cursorsOfChain = found.filter((cursor) => cursor !== null);
  const cursors = cursorsOfChain.filter(({ height }) => height >= BigInt(from));
  if (cursors.length === 0)
    throw new ResumeError('RESUME_NOTHING', nothingToSetBack(chain, from, cursorsOfChain), { chain, from });
  const { node, hash, head, nodes } = await agreedBlock(chain, rpc, from - 1, signal);

  const lookFrom = BigInt(Math.max(0, from - 1 - LOOK_BELOW_BLOCKS));
  const records = await recordsAbove(listed, lookFrom);
  const keys = new Set(records.map(keyOf));
  const kept = archived === null ? [] : await recordsAbove(archived, lookFrom);
  const pruned = kept.filter((record) => !keys.has(keyOf(record)));
  // above the head of a chain that does not reach its cursors nothing is left; else a node may only be behind
  const isShorter = cursors.some(({ height }) => BigInt(head) < height);
  const gone = await goneOf([...records, ...pruned], node, isShorter);
  const below = gone.find(({ blockNumber }) => blockNumber < BigInt(from));
  if (below)
    throw new ResumeError(
      'RESUME_FROM_TOO_HIGH',
      `chain ${chain}: ${isExecution(below) ? 'an execution of message' : 'message'} ${below.messageId} was in ` +
        `block ${below.blockNumber}, ` +
        `below --from ${from}, and that block is not on the chain any more: ` +
        `write --from ${below.blockNumber}, or a block before it`,
      { chain, from, block: String(below.blockNumber) },
    );
  const unreachable = gone.filter((record) => pruned.includes(record) || record.blockNumber > BigInt(head));
  const stored = [...records, ...pruned].filter(({ blockNumber }) => blockNumber >= BigInt(from));
  return {
    from,
    hash,
    nodes,
    cursors,
    untouched: cursorsOfChain.filter((cursor) => !cursors.includes(cursor)),
    storedMessages: stored.filter((record) => !isExecution(record)).length,
    goneMessages: gone.filter((record) => !isExecution(record)).length,
    orphanings: unreachable
      .filter((record) => !isExecution(record))
      .map(({ messageId, blockHash }) => ({ messageId, blockHash })),
    executionOrphanings: unreachable
      .filter(isExecution)
      .map(({ messageId, blockHash, logIndex }) => ({ messageId, blockHash, logIndex })),
  };
}

/**
 * Carries a plan out in one transaction.
 * @throws CursorConflictError when a cursor moved since it was made: nothing was stored.
 */
export async function resume(
  storage: Pick<Storage, 'insertBatch'>,
  { from, hash, cursors, orphanings, executionOrphanings }: ResumePlan,
): Promise<void> {
  const moves = cursors.map(
    ({ sourceId, height }): CursorMove => ({
      sourceId,
      height: BigInt(from - 1),
      hash,
      expectedHeight: height,
      setBack: true,
    }),
  );
  await storage.insertBatch({ orphanings, executionOrphanings, cursors: moves });
}

/**
 * The block by the word of every URL that answers; they must agree. The node that is furthest answers further
 * questions.
 */
async function agreedBlock(chain: string, rpc: RpcPool, block: number, signal: AbortSignal) {
  const all = await rpc.withNode(async (node) => [node, ...rpc.others(node, signal)], signal);
  const answers = await Promise.all(all.map(async (node) => ({ node, heads: await headsOf(node, block) })));
  const nodes = answers
    .map(({ node, heads }): ResumeNode => {
      return { url: node.index, hash: heads?.blocks[0]?.hash ?? null, head: heads?.latest.number ?? null };
    })
    .sort((a, b) => a.url - b.url);
  const hashes = new Set(nodes.flatMap(({ hash }) => hash ?? []));
  const words = nodes.map(({ url, hash, head }) => `RPC URL ${url}: ${hash ?? (head === null ? 'no answer' : 'none')}`);
  if (hashes.size > 1)
    throw new ResumeError(
      'RESUME_NODES_DISAGREE',
      `chain ${chain}: the nodes have different blocks ${block} (${words.join(', ')}): ` +
        'take those that are wrong out of RpcUrls, or write a lower --from, from before they part',
      { chain, block, nodes },
    );
  const answered = answers.flatMap(({ node, heads }) =>
    heads?.blocks[0] ? [{ node, hash: heads.blocks[0].hash, head: heads.latest.number }] : [],
  );
  const furthest = answered.reduce<(typeof answered)[number] | undefined>(
    (best, each) => (best === undefined || each.head > best.head ? each : best),
    undefined,
  );
  if (furthest) return { ...furthest, nodes };
  throw new ResumeError(
    'RESUME_NO_BLOCK',
    `chain ${chain}: no node has block ${block}, the one before --from (${words.join(', ')}): ` +
      'try again when one does, or write a lower --from',
    { chain, block, nodes },
  );
}

/** Null when the node does not answer. */
async function headsOf(node: RpcNode, block: number): Promise<ChainHeads | null> {
  try {
    return await node.heads([block]);
  } catch (thrown) {
    if (thrown instanceof RpcError) return null;
    throw thrown;
  }
}

async function recordsAbove(lister: RecordLister, block: bigint): Promise<readonly ListedRecord[]> {
  return [...(await lister.messagesAbove(block)), ...(await lister.executionsAbove(block))];
}

function isExecution(record: ListedRecord): record is UnfinalizedExecution {
  return 'logIndex' in record;
}

function keyOf(record: ListedRecord): string {
  return isExecution(record) ? logIdentity(record) : record.messageId;
}

/** The records whose blocks are not on the chain any more, in the order of their blocks. */
async function goneOf(
  records: readonly ListedRecord[],
  node: RpcNode,
  isShorter: boolean,
): Promise<readonly ListedRecord[]> {
  const numbers = [...new Set(records.map(({ blockNumber }) => Number(blockNumber)))];
  const hashes = new Map<number, Hex | null>();
  for (let start = 0; start < numbers.length; start += HEADERS_AT_ONCE) {
    const some = numbers.slice(start, start + HEADERS_AT_ONCE);
    const headers = await node.headers(some);
    for (const [index, number] of some.entries()) hashes.set(number, headers[index]?.hash ?? null);
  }
  return records
    .filter(({ blockNumber, blockHash }) => {
      const hash = hashes.get(Number(blockNumber)) ?? null;
      return hash === null ? isShorter : hash !== blockHash;
    })
    .sort((a, b) => Number(a.blockNumber - b.blockNumber));
}

function nothingToSetBack(chain: string, from: number, stored: readonly SourceCursor[]): string {
  return stored.length === 0
    ? `chain ${chain} has no cursor yet: it is read from its StartBlock, there is nothing to set back`
    : `chain ${chain} stands at block ${stored.map(({ height }) => height).join(', ')} and reads on from there: ` +
        `--from ${from} is above it, there is nothing to set back`;
}
