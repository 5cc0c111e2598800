import { status } from '@grpc/grpc-js';
import type { Hex } from '../../core/hex.js';
import { type AnswerElement, checkResultCount, matchResults, type VerifierAnswer } from '../answer.js';
import { createBatchedReader, type ReaderOptions } from '../batched-reader.js';
import type { CheckContext } from '../check-result.js';
import { type UnavailableKind, VerifierUnavailableError } from '../verifier-errors.js';
import type { VerifierReader } from '../verifier-reader.js';
import { type AggregatorClientOptions, createAggregatorClient, type ResultsById } from './client/aggregator-client.js';
import { AggregatorCallError, type AggregatorFailure } from './client/call-error.js';
import { readProtobufClaim } from './client/protobuf-claim.js';

/** Options of the reader of an aggregator. */
export interface AggregatorReaderOptions
  extends ReaderOptions,
    Pick<AggregatorClientOptions, 'address' | 'apiKey' | 'secret' | 'insecure' | 'caFile'> {}

/** Both say that a message is not known, or is: no complaint. */
const ORDINARY: ReadonlySet<number> = new Set([status.OK, status.NOT_FOUND]);

/**
 * A reader of an aggregator's verifier results by message id.
 * @throws InvalidArgumentError for credentials of a wrong form, or a CA file that cannot be read.
 */
export function createAggregatorReader(options: AggregatorReaderOptions): VerifierReader {
  const { name, requestTimeoutMs: timeoutMs } = options;
  const client = createAggregatorClient({ ...options, timeoutMs });
  return createBatchedReader(options, {
    async ask(messageIds, context, signal, traceparent) {
      const answer = await call(name, () => client.resultsFor(messageIds, signal, traceparent));
      return readAnswer(answer, messageIds, context);
    },
    close: async () => client.close(),
  });
}

async function call(verifier: string, ask: () => Promise<ResultsById>): Promise<ResultsById> {
  try {
    return await ask();
  } catch (cause) {
    if (!(cause instanceof AggregatorCallError)) throw cause;
    const { kind, grpcCode, said } = cause;
    throw new VerifierUnavailableError(verifier, kindOf(kind), { grpcCode, said, cause });
  }
}

/** The kinds have one name, but for a busy service: HTTP has a status for it. */
function kindOf(failure: AggregatorFailure): UnavailableKind {
  return failure === 'busy' ? 'rate-limited' : failure;
}

/** Results keep the order of the ids: an unreadable one is the answer for the id at its place. */
function readAnswer({ results, errors }: ResultsById, asked: readonly Hex[], context: CheckContext): VerifierAnswer {
  checkResultCount(results.length, asked, context.verifierName);
  const elements = results.map(
    (raw, index): AnswerElement => ({
      read: readProtobufClaim(raw),
      raw: (mostBytes) => Uint8Array.from(raw.subarray(0, mostBytes)),
      place: results.length === asked.length ? (asked[index] ?? null) : null,
    }),
  );
  const complaints = errors.filter(({ code }) => !ORDINARY.has(code));
  return {
    ...matchResults(elements, asked, context),
    errors: complaints.map(({ code, message }) => `${status[code] ?? code}: ${message}`),
  };
}
