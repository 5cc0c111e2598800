import type { BatchWriter } from '../../chains/chain-port.js';
import { createRangeSize, type RangeSize } from '../../chains/logs/range-size.js';
import { RpcError } from '../../chains/rpc/rpc-errors.js';
import { chainSourceId, recoveredSourceId } from '../../chains/source-ids.js';
import type { WatchedRamp } from '../../chains/watch/watched-chain.js';
import { backoffMs } from '../../core/backoff.js';
import type { Common } from '../../core/common.js';
import { toError } from '../../core/errors.js';
import { counter, gauge } from '../../core/metrics.js';
import type { Execution, SourceCursor } from '../../model/records.js';
import type { Storage } from '../../storage/storage.js';
import { type Recovered, type RecoverOptions, recoverVerifications } from './recover-verifications.js';

/** The parts of the recovery of one chain's executions. */
export interface ExecutionRecoveryOptions extends RecoverOptions {
  /** The name of the chain, for logs and metrics. */
  readonly chain: string;
  readonly selector: bigint;
  readonly offRamps: readonly WatchedRamp[];
  readonly storage: RecoverOptions['storage'] & Pick<Storage, 'executionsAboveBlock' | 'getCursor'>;
  readonly writer: BatchWriter;
  /**
   * Whether a message of that execution may still be found on its source chain, which is read here and not yet up to
   * the time of the execution.
   */
  readonly isSourceBehind: (execution: Execution, signal: AbortSignal) => Promise<boolean>;
  readonly common: Common;
}

/** Recovers the verifications that the executions on one chain carried. */
export interface ExecutionRecovery {
  /** Works until `signal` aborts. Failures are retried for ever, with growing pauses. */
  run(signal: AbortSignal): Promise<void>;
}

const IDLE_MS = 2_000;
const RETRY = { baseMs: 500, maxMs: 30_000 };
/** About two minutes. */
const ATTEMPTS = 8;
const MAX_BLOCKS = 1_000_000;
/** Of one commit. */
const TARGET_EXECUTIONS = 200;
const AT_ONCE = 8;
const CURSOR_EVERY_MS = 5_000;

/**
 * Goes over the final executions of each OffRamp in the order of their blocks, behind its watcher, with a cursor of its
 * own that moves in the commit of the verifications that were found. An execution of which a node may yet tell more is
 * tried again `ATTEMPTS` times, then passed over; a replay of its block tries it anew. An execution whose message is
 * not stored waits for as long as the message's own chain is behind it.
 */
export function createExecutionRecovery(options: ExecutionRecoveryOptions): ExecutionRecovery {
  const { chain, selector, offRamps, storage, writer, isSourceBehind, common } = options;
  const { clock, random, log } = common;
  const outcomes = recoveryOutcomes(common);
  const block = gauge(common.metrics, {
    name: 'indexer_source_recovered_block',
    help: 'The last block of a chain whose executions were looked at for the verifications that they carried.',
    labelNames: ['chain'],
  });
  const sizes = new Map<string, RangeSize>(
    offRamps.map(({ address }) => [
      address,
      createRangeSize({ maxBlocks: MAX_BLOCKS, targetLogs: TARGET_EXECUTIONS, onChange: () => undefined }),
    ]),
  );
  const storedMs = new Map<string, number>();

  /** Tries until nothing more is to be expected of another attempt. */
  async function recoverAll(executions: readonly Execution[], signal: AbortSignal): Promise<readonly Recovered[]> {
    const done = new Map<Execution, Recovered>();
    /** Their messages are not stored, though their sources were beyond them before the last attempt: never will be. */
    const settled = new Set<Execution>();
    let waiting: readonly Execution[] = [];
    let pending = executions;
    let recovered = 0;
    for (let failures = 0; pending.length + waiting.length > 0 && !signal.aborted; ) {
      for (let at = 0; at < pending.length; at += AT_ONCE) {
        const some = pending.slice(at, at + AT_ONCE);
        for (const found of await Promise.all(some.map((each) => recoverOne(each, options, signal))))
          done.set(found.execution, found);
      }
      const passing = pending.flatMap((execution) => done.get(execution) ?? []).filter((each) => each.passing);
      const before = recovered;
      recovered = [...done.values()].reduce((sum, { verifierResults }) => sum + verifierResults.length, 0);
      const unknown = passing.filter(({ outcomes: [first] }) => first === 'message_unknown');
      const unsettled = unknown.map(({ execution }) => execution).filter((execution) => !settled.has(execution));
      const { behind, beyond } = await bySource([...waiting, ...unsettled], signal);
      waiting = behind;
      for (const execution of beyond) settled.add(execution);
      // a match that was made may make another one certain, at once
      const again = passing.filter(
        (each) => (isRpc(each) && failures < ATTEMPTS) || (isUnmatched(each) && recovered > before),
      );
      pending = [...beyond, ...again.map(({ execution }) => execution)];
      if (again.some(isRpc)) await clock.sleep(backoffMs(RETRY, ++failures, random), signal);
      else if (waiting.length > 0) await clock.sleep(IDLE_MS, signal);
    }
    return executions.flatMap((execution) => done.get(execution) ?? []);
  }

  /** Executions by whether their source is behind them; one that is behind the first of them is behind all. */
  async function bySource(executions: readonly Execution[], signal: AbortSignal) {
    const behind: Execution[] = [];
    const beyond: Execution[] = [];
    for (const execution of executions) {
      const isBehind =
        behind.some(({ sourceChainSelector }) => sourceChainSelector === execution.sourceChainSelector) ||
        (await isSourceBehind(execution, signal));
      (isBehind ? behind : beyond).push(execution);
    }
    return { behind, beyond };
  }

  /** False when there is nothing to do. */
  async function advance({ address, startBlock }: WatchedRamp, signal: AbortSignal): Promise<boolean> {
    const sourceId = recoveredSourceId(selector, address);
    const stored = await storage.getCursor(sourceId);
    const final = await storage.getCursor(chainSourceId(selector, address));
    const after = stored?.height ?? BigInt(startBlock) - 1n;
    if (final === null || final.height <= after) return false;
    const size = sizes.get(address);
    const through = minimum(final.height, after + BigInt(size?.blocks ?? 1));
    const all = await storage.executionsAboveBlock(selector, after, through);
    const executions = all.filter(({ offRamp, state }) => offRamp === address && state === 'success');
    const recovered = await recoverAll(executions, signal);
    if (signal.aborted) return false;
    size?.grow(Number(through - after), all.length);
    const verifierResults = recovered.flatMap((each) => each.verifierResults);
    const waitedMs = clock.monotonicMs() - (storedMs.get(address) ?? Number.NEGATIVE_INFINITY);
    const isDue = waitedMs >= CURSOR_EVERY_MS || through < final.height;
    if (verifierResults.length === 0 && !isDue) return false;
    const cursor: SourceCursor = { sourceId, height: through, hash: null };
    await writer.insertBatch({ verifierResults, cursors: [{ ...cursor, expectedHeight: stored?.height ?? null }] });
    storedMs.set(address, clock.monotonicMs());
    block.set({ chain }, Number(through));
    for (const each of recovered) for (const outcome of each.outcomes) outcomes.inc({ chain, outcome });
    return through < final.height;
  }

  return {
    async run(signal) {
      for (let failures = 0; !signal.aborted; ) {
        try {
          let busy = false;
          for (const offRamp of offRamps) busy = (await advance(offRamp, signal)) || busy;
          failures = 0;
          if (!busy) await clock.sleep(IDLE_MS, signal);
        } catch (thrown) {
          if (signal.aborted) return;
          log.warn({ chain, err: toError(thrown) }, 'verifications of executions could not be recovered, trying again');
          await Promise.allSettled([clock.sleep(backoffMs(RETRY, failures++, random), signal)]);
        }
      }
    },
  };
}

/** The metric of what came of recovering. */
export function recoveryOutcomes({ metrics }: Pick<Common, 'metrics'>) {
  return counter(metrics, {
    name: 'indexer_source_recovered_verifications_total',
    help:
      'Verifications in the calls of successful executions, by what came of recovering them; ' +
      'executions, where the call or the message is not known.',
    labelNames: ['chain', 'outcome'],
  });
}

/** A node that fails is no reason to give up the others of the range. */
async function recoverOne(execution: Execution, options: RecoverOptions, signal: AbortSignal): Promise<Recovered> {
  try {
    return await recoverVerifications(execution, options, signal);
  } catch (thrown) {
    if (!(thrown instanceof RpcError)) throw thrown;
    return { execution, verifierResults: [], outcomes: ['rpc_failed'], passing: true };
  }
}

function isRpc({ passing, outcomes: [first] }: Recovered): boolean {
  return passing && (first === 'rpc_failed' || first === 'transaction_missing');
}

function isUnmatched({ outcomes }: Recovered): boolean {
  return outcomes.includes('unmatched');
}

function minimum(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
