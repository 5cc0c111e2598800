import {
  type handleUnaryCall,
  type Metadata,
  Server,
  ServerCredentials,
  type ServiceDefinition,
  status,
} from '@grpc/grpc-js';
import { bytesToHex, type Hex } from '../../../src/core/hex.js';
import type { VerifierResult } from '../../../src/protocol/records.js';
import { checkSignature, type Refusal } from './check-signature.js';
import { decodeIds, decodeSince, encodePage, encodeResult, encodeResults, type PageEntry } from './wire.js';

/** One request as it came. */
export interface AggregatorRequest {
  /** The full path of the method. */
  readonly path: string;
  readonly bytes: Buffer;
  readonly metadata: Metadata;
  /** `host:port` of the client's end of the connection. */
  readonly peer: string;
}

/** An entry whose sequence is drawn and which nobody sees yet. */
export interface DrawnEntry {
  readonly sequence: bigint;
  commit(): void;
}

/** Bytes or a refusal instead of the usual answer; null: the usual one. */
export type Answer = (request: AggregatorRequest) => Buffer | Refusal | null | Promise<Buffer | Refusal | null>;

/**
 * An aggregator that is given verifier results and serves them over gRPC as aggregators of the network do: pages of
 * 100, sequences that are drawn before their entry commits, signed requests, an empty result for an unknown id.
 */
export interface AggregatorServer {
  /** `host:port`. */
  readonly address: string;
  /** Every request so far, also refused ones; none unless `keepRequests`. */
  readonly requests: readonly AggregatorRequest[];
  /** Draws the next sequence and commits at once. */
  publish(result: VerifierResult): bigint;
  /** The same for bytes that need not be those of a verifier result. By id they are served under `messageId`. */
  publishBytes(bytes: Uint8Array, messageId?: Hex): bigint;
  /** Draws the next sequence; the entry becomes visible when it commits. */
  draw(result: VerifierResult): DrawnEntry;
  /** Draws sequences that never commit, as failed transactions do. */
  skip(count: bigint): void;
  /** Forgets all entries and goes on with this sequence. */
  restart(nextSequence: bigint): void;
  /** Replaces its answers to signed requests; null: as usual again. */
  answer(answer: Answer | null): void;
  /** Ends all connections; calls under way break. */
  dropConnections(): void;
  close(): Promise<void>;
}

/** Options of an aggregator. */
export interface AggregatorServerOptions {
  /** The secret (hex) of each API key; without any, requests need no signature. */
  readonly clients?: ReadonlyMap<string, string>;
  /** The server's clock, unix ms. */
  nowMs(): number;
  /** On 127.0.0.1. Defaults to a free one. */
  readonly port?: number;
  /** Default: true. False for a server without an end. */
  readonly keepRequests?: boolean;
  /** PEM. Default: without TLS. */
  readonly tls?: { readonly key: string; readonly certificate: string };
}

const PAGE = 100;
const SINCE_PATH = '/chainlink_ccv.message_discovery.v1.MessageDiscovery/GetMessagesSince';
const BY_ID_PATH = '/chainlink_ccv.verifier.v1.Verifier/GetVerifierResultsForMessage';
const asItIs = (bytes: Buffer): Buffer => bytes;

/** Starts an aggregator on 127.0.0.1. */
export async function startAggregatorServer(options: AggregatorServerOptions): Promise<AggregatorServer> {
  const { clients = new Map(), keepRequests = true, tls } = options;
  const requests: AggregatorRequest[] = [];
  const byId = new Map<Hex, Uint8Array>();
  let visible: PageEntry[] = [];
  let nextSequence = 1n;
  let replaced: Answer | null = null;

  function take(bytes: Uint8Array, messageId: Hex | null): DrawnEntry {
    const sequence = nextSequence;
    nextSequence += 1n;
    return {
      sequence,
      commit() {
        const before = visible.findLastIndex((entry) => entry.sequence < sequence);
        visible.splice(before + 1, 0, { sequence, result: bytes });
        if (messageId !== null) byId.set(messageId, bytes);
      },
    };
  }

  function publishBytes(bytes: Uint8Array, messageId: Hex | null): bigint {
    const entry = take(bytes, messageId);
    entry.commit();
    return entry.sequence;
  }

  function messagesSince(request: Buffer): Buffer | Refusal {
    const since = decodeSince(request);
    if (since < 0n) return { code: status.INVALID_ARGUMENT, details: 'since must not be negative' };
    return encodePage(visible.filter(({ sequence }) => sequence >= since).slice(0, PAGE));
  }

  function resultsByIds(request: Buffer): Buffer {
    return encodeResults(decodeIds(request).map((id) => byId.get(bytesToHex(id)) ?? Buffer.alloc(0)));
  }

  const handle =
    (path: string, usual: (request: Buffer) => Buffer | Refusal): handleUnaryCall<Buffer, Buffer> =>
    async (call, callback) => {
      const { request: bytes, metadata } = call;
      const request = { path, bytes, metadata, peer: call.getPeer() };
      if (keepRequests) requests.push(request);
      const refused = clients.size > 0 ? checkSignature(clients, path, bytes, metadata, options.nowMs()) : null;
      const answer = refused ?? (await replaced?.(request)) ?? usual(bytes);
      if (Buffer.isBuffer(answer)) callback(null, answer);
      else callback(answer);
    };

  const server = new Server({ 'grpc.max_send_message_length': -1 });
  server.addService(services, {
    since: handle(SINCE_PATH, messagesSince),
    byId: handle(BY_ID_PATH, resultsByIds),
  });
  const port = await listen(server, `127.0.0.1:${options.port ?? 0}`, tls);
  const address = `127.0.0.1:${port}`;

  return {
    address,
    requests,
    publish: (result) => publishBytes(encodeResult(result), result.messageId),
    publishBytes: (bytes, messageId) => publishBytes(bytes, messageId ?? null),
    draw: (result) => take(encodeResult(result), result.messageId),
    skip(count) {
      nextSequence += count;
    },
    restart(sequence) {
      visible = [];
      byId.clear();
      nextSequence = sequence;
    },
    answer(answer) {
      replaced = answer;
    },
    dropConnections: () => server.drain(address, 0),
    async close() {
      server.forceShutdown();
    },
  };
}

/** The two methods; bytes stay bytes, since the signature is over those that came. */
const services: ServiceDefinition = Object.fromEntries(
  Object.entries({ since: SINCE_PATH, byId: BY_ID_PATH }).map(([name, path]) => [
    name,
    {
      path,
      requestStream: false,
      responseStream: false,
      requestSerialize: asItIs,
      requestDeserialize: asItIs,
      responseSerialize: asItIs,
      responseDeserialize: asItIs,
    },
  ]),
);

function listen(server: Server, address: string, tls: AggregatorServerOptions['tls']): Promise<number> {
  const credentials = tls
    ? ServerCredentials.createSsl(null, [
        { private_key: Buffer.from(tls.key), cert_chain: Buffer.from(tls.certificate) },
      ])
    : ServerCredentials.createInsecure();
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => (error ? reject(error) : resolve(port)));
  });
}
