import { AbortedError } from '../../core/errors.js';
import { RpcError, RpcTimeoutError, RpcTooManyResultsError } from '../rpc/rpc-errors.js';
import type { RpcPool } from '../rpc/rpc-pool.js';
import { type RangeReaderOptions, type RangeReading, readRange } from './range-reader.js';
import type { RangeSize } from './range-size.js';

/** The blocks to read, and the means. */
export interface RangePipelineOptions extends RangeReaderOptions {
  readonly from: number;
  readonly to: number;
  /** Blocks from here on are checked for logs that were left out. */
  readonly checkSilenceFrom: number;
  /** Ranges under way at once. */
  readonly depth: number;
  readonly rpc: RpcPool;
  readonly size: RangeSize;
}

/**
 * Reads the finalized blocks `from` to `to` in ranges, several at a time, and hands them out in order: the next ones
 * are fetched while the one before is stored. A range that turns out too large is read in halves.
 * @throws RpcError when no node can answer for a range, AbortedError.
 */
export async function* readRanges(options: RangePipelineOptions, signal: AbortSignal): AsyncGenerator<RangeReading> {
  const stop = new AbortController();
  const onAbort = () => stop.abort();
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) stop.abort();
  const underWay: Promise<readonly RangeReading[]>[] = [];
  let next = options.from;
  try {
    while (next <= options.to || underWay.length > 0) {
      while (next <= options.to && underWay.length < options.depth) {
        const to = Math.min(options.to, next + options.size.blocks - 1);
        const reading = readOrSplit(next, to, options, stop.signal);
        // a failure is thrown when its turn comes
        reading.catch(() => undefined);
        underWay.push(reading);
        next = to + 1;
      }
      const first = underWay.shift();
      if (first) yield* await first;
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    stop.abort();
    await Promise.allSettled(underWay);
  }
}

async function readOrSplit(
  from: number,
  to: number,
  options: RangePipelineOptions,
  signal: AbortSignal,
): Promise<readonly RangeReading[]> {
  if (signal.aborted) throw new AbortedError('reading a range');
  const blocks = to - from + 1;
  try {
    const range = { from, to, checkSilence: to >= options.checkSilenceFrom };
    const reading = await options.rpc.withNode((node) => readRange(node, range, options, signal), signal);
    options.size.grow(blocks, reading.logCount);
    return [reading];
  } catch (thrown) {
    if (!(thrown instanceof RpcError)) throw thrown;
    options.size.shrink(blocks);
    if (blocks === 1 || !isTooMuch(thrown)) throw thrown;
    const middle = from + Math.floor(blocks / 2) - 1;
    const lower = await readOrSplit(from, middle, options, signal);
    return [...lower, ...(await readOrSplit(middle + 1, to, options, signal))];
  }
}

/** True when less would be answered. */
export function isTooMuch(error: RpcError): boolean {
  return error instanceof RpcTooManyResultsError || error instanceof RpcTimeoutError;
}
