import type { Common } from '../../core/common.js';
import { createBatchSize } from './batch-size.js';
import type { JsonRpcAnswer, JsonRpcCall } from './json-rpc-transport.js';
import { isRateLimit, spansBlocks } from './rpc-error-codes.js';
import { RpcError, type RpcOrigin } from './rpc-errors.js';

/** Sends calls as one request; resolves to their answers, in the order of the calls. @throws RpcError, AbortedError */
export type SendBatch = (calls: readonly JsonRpcCall[]) => Promise<readonly JsonRpcAnswer[]>;

/**
 * Sends calls to one node in batches that are as large as it takes, and tells a node that is broken from one that
 * takes less.
 */
export interface BatchedCalls {
  /** The answers to the first of `calls`: as many as fit into one batch, or fewer. */
  answers(calls: readonly JsonRpcCall[], send: SendBatch): Promise<readonly JsonRpcAnswer[]>;
}

/** `isRateLimited`: whether the node asked for fewer requests, and has answered none since. */
export function createBatchedCalls(options: {
  readonly maxCalls: number;
  readonly origin: RpcOrigin;
  readonly isRateLimited: () => boolean;
  readonly common: Common;
}): BatchedCalls {
  const { maxCalls, origin, isRateLimited, common } = options;
  const size = createBatchSize({
    maxCalls,
    clock: common.clock,
    onChange: (calls) => common.log.info({ ...origin, calls }, 'RPC node gets batches of another size from now on'),
  });
  /** Calls of a batch that failed in a way that may be the batch's fault: the next request shows whether it is. */
  let doubtedCalls: number | null = null;

  /**
   * The answers to a batch, or only that to its first call. A batch that brought no answer for each call, in whatever
   * form, is told from a node that is broken by sending its first call alone: when that is answered, the batch was at
   * fault, and the next ones are smaller.
   */
  async function answersTo(batch: readonly JsonRpcCall[], send: SendBatch): Promise<readonly JsonRpcAnswer[]> {
    // a question for the chain id, say, shows nothing about batches
    const doubted = batch.length > 1 ? doubtedCalls : null;
    if (doubted !== null) doubtedCalls = null;
    const together = doubted === null ? await sendTogether(batch, send) : null;
    if (together !== null && !mayBeRefused(together)) return await wholeOrPart(together, batch, send);
    const alone = await send(batch.slice(0, 1));
    if (together !== null && !alone[0]?.ok) return together;
    size.refused(doubted ?? batch.length);
    return alone;
  }

  /** The answers to a batch, or to the first of its calls, where a node takes no more than these of it. */
  async function wholeOrPart(
    answers: readonly JsonRpcAnswer[],
    batch: readonly JsonRpcCall[],
    send: SendBatch,
  ): Promise<readonly JsonRpcAnswer[]> {
    const failures = answers.map((answer) => (answer.ok ? null : answer.failure.code));
    const code = failures.at(-1) ?? null;
    const cut = failures.findLastIndex((each) => each !== code) + 1;
    if (failures.some((each) => each !== null && isRateLimit(each))) {
      if (batch.length > 1 && isRateLimited()) doubtedCalls = batch.length;
    } else if (code === null || batch.length - cut < 2) size.answered(batch.length);
    else {
      const alone = await send(batch.slice(cut, cut + 1));
      if (!alone[0]?.ok) return answers;
      size.refused(batch.length);
      return [...answers.slice(0, cut), ...alone];
    }
    return answers;
  }

  /** Null when the batch as a whole may have been refused. */
  async function sendTogether(
    batch: readonly JsonRpcCall[],
    send: SendBatch,
  ): Promise<readonly JsonRpcAnswer[] | null> {
    try {
      return await send(batch);
    } catch (thrown) {
      if (!(thrown instanceof RpcError) || batch.length === 1) throw thrown;
      switch (thrown.kind) {
        case 'timeout':
          // asking again at once would take as long again; over a range of blocks, the range is halved first
          if (!batch.some(spansBlocks)) doubtedCalls = batch.length;
          throw thrown;
        case 'rateLimited':
          // a node that counts each call of a batch may never let this one through
          if (isRateLimited()) doubtedCalls = batch.length;
          throw thrown;
        case 'tooManyResults':
          // the range of blocks is halved
          throw thrown;
        case 'invalidAnswer':
        case 'refused':
        case 'unavailable':
          return null;
      }
    }
  }

  /** Each of several calls got the same error: it may be about the batch. */
  function mayBeRefused(answers: readonly JsonRpcAnswer[]): boolean {
    const [first] = answers;
    if (!first || first.ok || answers.length === 1) return false;
    const { code } = first.failure;
    if (isRateLimit(code) && !isRateLimited()) return false;
    return answers.every((answer) => !answer.ok && answer.failure.code === code);
  }

  return { answers: (calls, send) => answersTo(calls.slice(0, size.calls), send) };
}
