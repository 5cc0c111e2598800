import { readFileSync } from 'node:fs';
import {
  type ChannelCredentials,
  Client,
  type ClientOptions,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import type { Common } from '../../../core/common.js';
import { AbortedError, InvalidArgumentError } from '../../../core/errors.js';
import type { Hex } from '../../../core/hex.js';
import { createAggregatorMetrics } from './aggregator-metrics.js';
import { AggregatorCallError } from './call-error.js';
import { readFailure, withoutFragments } from './read-failure.js';
import { type AggregatorCredentials, createSigner, type Signer } from './signature.js';
import {
  type AggregatorMethod,
  decodeEntry,
  decodeResults,
  decodeSequenced,
  encodeResultsRequest,
  encodeSinceRequest,
  METHOD_PATHS,
  type StatusEntry,
  WireError,
} from './wire.js';

/** Options of the client of one aggregator. */
export interface AggregatorClientOptions extends AggregatorCredentials {
  /** The name in logs and errors. */
  readonly name: string;
  /** `host:port`. */
  readonly address: string;
  /** Without TLS. */
  readonly insecure: boolean;
  /** A PEM file with the authorities to trust; empty: those of Node.js and of `NODE_EXTRA_CA_CERTS`. */
  readonly caFile?: string;
  /** Deadline of one call, to the last byte of its answer. */
  readonly timeoutMs: number;
  /** A longer answer is refused at its declared length, before it is read. */
  readonly maxResponseBytes: number;
  readonly common: Common;
}

/** One entry of a page. Its result is read with `readProtobufClaim`. */
export interface SequencedResult {
  /** Null when the entry itself cannot be decoded; it lies between its neighbours. */
  readonly sequence: bigint | null;
  /** The bytes of the `VerifierResult`, or of the whole entry where that cannot be decoded; they own their memory. */
  readonly raw: Uint8Array;
}

/** The answer about some message ids. */
export interface ResultsById {
  /** The bytes of each `VerifierResult`, in the order of the ids; empty: not known. */
  readonly results: readonly Uint8Array[];
  /** Complaints, among them one for each unknown id. */
  readonly errors: readonly StatusEntry[];
}

/**
 * Calls the two services of one aggregator. One call is one request: there are no retries in it.
 * Every method throws AggregatorCallError when there is no answer or an unreadable one; AbortedError as soon as
 * `signal` aborts.
 */
export interface AggregatorClient {
  /** The next entries from `sequence` (inclusive) on, as they came: at most a page, rising, with gaps. */
  messagesSince(sequence: bigint, signal?: AbortSignal): Promise<readonly SequencedResult[]>;
  /** `traceparent` goes along with the call, where it is traced. */
  resultsFor(messageIds: readonly Hex[], signal?: AbortSignal, traceparent?: string): Promise<ResultsById>;
  /** Ends the connection once no call is under way. Idempotent. */
  close(): void;
}

/** Channel options: plain calls to the one address, and no policies that a name server sends. */
const CHANNEL_OPTIONS: ClientOptions = {
  'grpc.enable_retries': 0,
  'grpc.service_config_disable_resolution': 1,
  'grpc.use_local_subchannel_pool': 1,
  // a circuit breaker paces calls: a trial must be a real one
  'grpc.initial_reconnect_backoff_ms': 200,
  'grpc.max_reconnect_backoff_ms': 2_000,
  // while a call is under way; servers in Go end connections that ping much more often
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
};

/**
 * Creates the client of one aggregator. It connects at its first call.
 * @throws InvalidArgumentError for credentials of a wrong form, or a CA file that cannot be read.
 */
export function createAggregatorClient(options: AggregatorClientOptions): AggregatorClient {
  return new GrpcAggregatorClient(options);
}

const NO_BYTES = Buffer.alloc(0);
const asItIs = (bytes: Buffer): Buffer => bytes;

class GrpcAggregatorClient implements AggregatorClient {
  readonly #options: AggregatorClientOptions;
  readonly #credentials: ChannelCredentials;
  readonly #sign: Signer;
  readonly #metrics;
  #channel: Client | null = null;

  constructor(options: AggregatorClientOptions) {
    this.#options = options;
    this.#sign = createSigner(options);
    this.#credentials = options.insecure
      ? credentials.createInsecure()
      : credentials.createSsl(readAuthorities(options.caFile ?? '', options.name));
    this.#metrics = createAggregatorMetrics(options.common);
  }

  async messagesSince(sequence: bigint, signal?: AbortSignal): Promise<readonly SequencedResult[]> {
    const answer = await this.#call('GetMessagesSince', encodeSinceRequest(sequence), signal);
    return this.#decode('GetMessagesSince', () => decodeSequenced(answer)).map(readEntry);
  }

  async resultsFor(messageIds: readonly Hex[], signal?: AbortSignal, traceparent?: string): Promise<ResultsById> {
    const request = encodeResultsRequest(messageIds);
    const answer = await this.#call('GetVerifierResultsForMessage', request, signal, traceparent);
    const { results, errors } = this.#decode('GetVerifierResultsForMessage', () => decodeResults(answer));
    const hidden = this.#hidden();
    return {
      results,
      errors: errors.map(({ code, message }) => ({ code, message: withoutFragments(message, message, hidden) })),
    };
  }

  close(): void {
    this.#channel?.close();
    this.#channel = null;
  }

  /** The bytes that are signed are the bytes that are sent. */
  async #call(method: AggregatorMethod, request: Buffer, signal?: AbortSignal, traceparent?: string): Promise<Buffer> {
    const { name, common, timeoutMs } = this.#options;
    const { payload } = this.#metrics;
    const path = METHOD_PATHS[method];
    if (signal?.aborted) throw new AbortedError(`call of aggregator ${name}`);
    const signed = this.#sign(path, request, common.clock.nowMs());
    const metadata = new Metadata();
    for (const [key, value] of Object.entries(signed)) metadata.set(key, value);
    if (traceparent !== undefined) metadata.set('traceparent', traceparent);
    payload.observe({ method: path, direction: 'request' }, request.length);

    const channel = this.#open();
    const call = send(channel, path, request, metadata);
    let timedOut = false;
    const cancelTimeout = common.clock.after(timeoutMs, () => {
      timedOut = true;
      call.cancel();
    });
    signal?.addEventListener('abort', call.cancel, { once: true });
    try {
      const answer = await call.answer;
      payload.observe({ method: path, direction: 'response' }, answer.length);
      return answer;
    } catch (thrown) {
      if (signal?.aborted) throw new AbortedError(`call of aggregator ${name}`);
      const failure = readFailure({
        aggregator: name,
        error: thrown as ServiceError,
        headers: call.headers(),
        timedOut,
        timeoutMs,
        maxResponseBytes: this.#options.maxResponseBytes,
        hidden: this.#hidden(signed['x-authorization-signature-sha256']),
        nowMs: common.clock.nowMs(),
      });
      this.#metrics.errors.inc({ code: failure.grpcCode, method: path });
      // the connection may be dead without knowing: the next call makes a new one
      if (timedOut && this.#channel === channel) this.close();
      throw failure;
    } finally {
      cancelTimeout();
      signal?.removeEventListener('abort', call.cancel);
    }
  }

  #open(): Client {
    this.#channel ??= new Client(this.#options.address, this.#credentials, {
      ...CHANNEL_OPTIONS,
      'grpc.max_receive_message_length': this.#options.maxResponseBytes,
    });
    return this.#channel;
  }

  #hidden(signature = ''): string[] {
    const { apiKey, secret } = this.#options;
    return [apiKey, secret, signature].filter((text) => text !== '');
  }

  #decode<T>(method: AggregatorMethod, read: () => T): T {
    try {
      return read();
    } catch (cause) {
      if (!(cause instanceof WireError)) throw cause;
      this.#metrics.errors.inc({ code: 'Internal', method: METHOD_PATHS[method] });
      const { name: aggregator } = this.#options;
      throw new AggregatorCallError({
        aggregator,
        kind: 'malformed',
        grpcCode: 'Internal',
        said: cause.message,
        cause,
      });
    }
  }
}

/** Starts a call; its answer rejects with a `ServiceError`. */
function send(channel: Client, path: string, request: Buffer, metadata: Metadata) {
  let headers: Metadata | null = null;
  let settle: (error: ServiceError | null, bytes?: Buffer) => void = () => undefined;
  const answer = new Promise<Buffer>((resolve, reject) => {
    settle = (error, bytes) => (error ? reject(error) : resolve(bytes ?? NO_BYTES));
  });
  const call = channel.makeUnaryRequest(path, asItIs, asItIs, request, metadata, settle);
  call.on('metadata', (received) => {
    headers = received;
  });
  return { answer, headers: (): Metadata | null => headers, cancel: () => call.cancel() };
}

function readEntry(bytes: Buffer): SequencedResult {
  try {
    const { sequence, verifierResult } = decodeEntry(bytes);
    return { sequence: BigInt(sequence), raw: Uint8Array.from(verifierResult) };
  } catch (thrown) {
    if (!(thrown instanceof WireError)) throw thrown;
    return { sequence: null, raw: Uint8Array.from(bytes) };
  }
}

function readAuthorities(file: string, aggregator: string): Buffer | null {
  if (file === '') return null;
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new InvalidArgumentError(`the CA file of aggregator ${aggregator} cannot be read: ${file}`, { cause });
  }
}
