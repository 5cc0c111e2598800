import type { Hex } from '../../core/hex.js';
import { EXECUTE_SELECTOR } from '../../protocol/execute-call.js';
import { MalformedAnswerError } from '../rpc/json-rpc-transport.js';
import { parseBytes } from '../rpc/quantity.js';

/** A call inside a transaction that was not undone. */
interface InnerCall {
  readonly to: string;
  readonly input: unknown;
}

/** The ways in which nodes trace a transaction, in the order in which a node is asked. */
export const TRACERS = ['debug_traceTransaction', 'trace_transaction'] as const;
export type Tracer = (typeof TRACERS)[number];

/** The parameters that ask for the calls of a transaction. */
export function traceParams(tracer: Tracer, transactionHash: Hex): readonly unknown[] {
  return tracer === 'trace_transaction' ? [transactionHash] : [transactionHash, { tracer: 'callTracer' }];
}

/**
 * The calldata of the calls of `execute` to `offRamp` in a trace, in their order; of calls that were undone, by
 * themselves or around them, nothing is told.
 * @throws MalformedAnswerError
 */
export function executeCallsOf(tracer: Tracer, trace: unknown, offRamp: Hex): readonly Uint8Array[] {
  const calls = tracer === 'trace_transaction' ? flatCalls(trace) : nestedCalls(trace);
  return calls
    .filter(({ to, input }) => to === offRamp && typeof input === 'string' && input.startsWith(EXECUTE_SELECTOR))
    .map(({ input }) => parseBytes(input, 'input of a traced call'));
}

/** go-ethereum's callTracer: a call holds those that it made. Walked with a list, since a lie may be deep. */
function nestedCalls(trace: unknown): readonly InnerCall[] {
  const found: InnerCall[] = [];
  const waiting: unknown[] = [trace];
  for (let frame = waiting.pop(); frame !== undefined; frame = waiting.pop()) {
    const { type, to, input, error, calls = [] } = record(frame);
    if (!Array.isArray(calls)) throw new MalformedAnswerError('calls of a trace are not an array');
    if (error !== undefined && error !== null) continue;
    if (type === 'CALL') found.push({ to: String(to).toLowerCase(), input });
    waiting.push(...[...calls].reverse());
  }
  return found;
}

/** OpenEthereum's traces: each call with its place among those of the call that made it. */
function flatCalls(trace: unknown): readonly InnerCall[] {
  if (!Array.isArray(trace)) throw new MalformedAnswerError('the trace is not an array');
  const undone = new Set<string>();
  const found: InnerCall[] = [];
  for (const entry of trace) {
    const { type, action, error, traceAddress } = record(entry);
    if (!Array.isArray(traceAddress)) throw new MalformedAnswerError('traceAddress of a trace is not an array');
    const places = traceAddress.map((_, depth) => traceAddress.slice(0, depth).join());
    if (error !== undefined && error !== null) undone.add(traceAddress.join());
    if (type !== 'call' || [...places, traceAddress.join()].some((place) => undone.has(place))) continue;
    const { to, input, callType } = record(action);
    if (callType === 'call') found.push({ to: String(to).toLowerCase(), input });
  }
  return found;
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) throw new MalformedAnswerError('a traced call is not an object');
  return value as Readonly<Record<string, unknown>>;
}
