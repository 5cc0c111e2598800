import { type Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { firstOutsideLine } from '../../../core/outside-text.js';
import { AggregatorCallError, type AggregatorFailure } from './call-error.js';
import { SIGNATURE_WINDOW_MS } from './signature.js';

/** Facts about a call that failed. */
export interface FailedCall {
  readonly aggregator: string;
  readonly error: ServiceError;
  /** Headers of an answer that had begun; null: it had not. */
  readonly headers: Metadata | null;
  /** The end of our patience ended the call. */
  readonly timedOut: boolean;
  readonly timeoutMs: number;
  readonly maxResponseBytes: number;
  /** Values of which no part may be shown: the credentials, and the signature made with them. */
  readonly hidden: readonly string[];
  readonly nowMs: number;
}

const KINDS: ReadonlyMap<status, AggregatorFailure> = new Map([
  [status.CANCELLED, 'network'],
  [status.UNKNOWN, 'server'],
  [status.INVALID_ARGUMENT, 'invalid-request'],
  [status.DEADLINE_EXCEEDED, 'timeout'],
  [status.NOT_FOUND, 'refused'],
  [status.ALREADY_EXISTS, 'refused'],
  [status.PERMISSION_DENIED, 'unauthenticated'],
  [status.RESOURCE_EXHAUSTED, 'busy'],
  [status.FAILED_PRECONDITION, 'refused'],
  [status.ABORTED, 'server'],
  [status.OUT_OF_RANGE, 'invalid-request'],
  [status.UNIMPLEMENTED, 'refused'],
  [status.INTERNAL, 'server'],
  [status.UNAVAILABLE, 'network'],
  [status.DATA_LOSS, 'server'],
  [status.UNAUTHENTICATED, 'unauthenticated'],
]);

/** `RESOURCE_EXHAUSTED` as Go spells it in metrics and logs: `ResourceExhausted`. */
function goCodeName(code: status): string {
  const name = status[code];
  if (code === status.CANCELLED) return 'Canceled';
  if (name === undefined) return `Code(${code})`;
  return name.toLowerCase().replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** The error of a failed call, told by its code and by how far its answer had come. */
export function readFailure(call: FailedCall): AggregatorCallError {
  const { aggregator, error } = call;
  if (call.timedOut)
    return new AggregatorCallError({
      aggregator,
      kind: 'timeout',
      grpcCode: goCodeName(status.DEADLINE_EXCEEDED),
      said: `no answer within ${call.timeoutMs} ms`,
    });
  const kind = kindOf(call);
  const behindMs = kind === 'unauthenticated' ? clockBehindMs(call) : null;
  return new AggregatorCallError({
    aggregator,
    kind,
    grpcCode: goCodeName(error.code),
    said: [wordsOf(call, kind), advice(call, kind, behindMs)].filter((text) => text !== '').join('; '),
    behindMs,
  });
}

/**
 * A server refuses before its answer begins; the library's own refusal of a message above the cap comes after the
 * headers, at the message's declared length. So the same code tells a full queue from an answer that is too large.
 */
function kindOf({ error, headers }: FailedCall): AggregatorFailure {
  if (error.code === status.RESOURCE_EXHAUSTED && headers !== null) return 'response-too-large';
  return KINDS.get(error.code) ?? 'server';
}

function advice(call: FailedCall, kind: AggregatorFailure, behindMs: number | null): string {
  if (kind === 'response-too-large') return `the cap is ${call.maxResponseBytes} bytes: raise MaxResponseBytes`;
  if (kind !== 'unauthenticated') return '';
  if (call.hidden.length === 0) return 'it asks for APIKey and Secret, and none are configured';
  const windowS = SIGNATURE_WINDOW_MS / 1_000;
  if (behindMs === null)
    return (
      'check APIKey and Secret, and the clock of this machine: ' +
      `a signature holds for ${windowS} s around the aggregator's time, and here it is ${timeText(call.nowMs)}`
    );
  const offS = Math.round(Math.abs(behindMs) / 1_000);
  // the aggregator tells its time in whole seconds
  if (offS < windowS) return 'check APIKey and Secret: the clocks agree';
  return (
    `the clock of this machine is ${offS} s ${behindMs > 0 ? 'behind' : 'ahead of'} the aggregator's, ` +
    `and a signature holds for ${windowS} s: set the clock (NTP)`
  );
}

/** The aggregator's time less ours, by the header `date`, which proxies and some servers send; null without one. */
function clockBehindMs({ error, headers, nowMs }: FailedCall): number | null {
  const [date] = [...error.metadata.get('date'), ...(headers?.get('date') ?? [])];
  const atMs = Date.parse(String(date));
  return Number.isNaN(atMs) ? null : atMs - nowMs;
}

function timeText(nowMs: number): string {
  return new Date(nowMs).toISOString();
}

/** Characters of a credential in a row that nothing may repeat. */
const FRAGMENT_CHARS = 6;

/** The words of the aggregator, or of the library, unless they repeat a part of a credential. */
function wordsOf({ error, hidden }: FailedCall, kind: AggregatorFailure): string {
  if (kind === 'response-too-large') return 'its answer is too large';
  return withoutFragments(firstOutsideLine(error.details), error.details, hidden);
}

/** The text, unless its original repeats a part of one of these values. */
export function withoutFragments(text: string, original: string, hidden: readonly string[]): string {
  const plain = original.toLowerCase();
  const repeats = hidden.some((value) => fragmentsOf(value).some((fragment) => plain.includes(fragment)));
  return repeats ? '(its words repeat a part of a credential)' : text;
}

function fragmentsOf(value: string): string[] {
  const text = value.toLowerCase();
  return Array.from({ length: Math.max(1, text.length - FRAGMENT_CHARS + 1) }, (_, at) =>
    text.slice(at, at + FRAGMENT_CHARS),
  );
}
