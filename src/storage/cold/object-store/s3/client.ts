import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { S3Client } from '@aws-sdk/client-s3';
import type { Logger } from '../../../../core/logger.js';
import { secrets } from '../../../../core/masker.js';
import { createProxyAgent } from '../../../../core/network/http-agents.js';

/** Keys of an account, for where the usual chain (environment, profile, instance, web identity) is not wanted. */
export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

/** The server of a bucket and its dialect. */
export interface S3Endpoint {
  /** A server other than AWS, with its scheme: `http://127.0.0.1:9000`. */
  readonly endpoint?: string;
  readonly region: string;
  /** The bucket's name in the path instead of the host name, as most servers other than AWS need it. */
  readonly pathStyle: boolean;
  /** `when_supported` sends and checks CRC32 checksums; servers that choke on them need `when_required`. */
  readonly checksums: 'when_supported' | 'when_required';
  readonly credentials?: S3Credentials;
}

/** A connection that has not been made after this time will not be. */
const MAX_CONNECT_MS = 5000;

/** An S3 client that does not retry by itself, keeps its connections, and has at most `maxConnections` of them. */
export function createS3Client(
  endpoint: S3Endpoint,
  limits: { readonly requestTimeoutMs: number; readonly maxConnections: number },
  log: Logger,
): S3Client {
  hideCredentials(endpoint);
  const checksums = endpoint.checksums === 'when_supported' ? 'WHEN_SUPPORTED' : 'WHEN_REQUIRED';
  const agent = { keepAlive: true, maxSockets: limits.maxConnections, scheduling: 'lifo' } as const;
  const server = endpoint.endpoint ?? `https://s3.${endpoint.region}.amazonaws.com`;
  const proxied = createProxyAgent(server, { maxSockets: limits.maxConnections });
  const warn = (...facts: unknown[]) => log.warn({ facts: facts.map(String) }, 'the S3 client warns');
  return new S3Client({
    region: endpoint.region,
    forcePathStyle: endpoint.pathStyle,
    maxAttempts: 1,
    requestChecksumCalculation: checksums,
    responseChecksumValidation: checksums,
    // it would take a new connection for every large object, and servers that ignore it cost a second
    expectContinueHeader: false,
    requestHandler: {
      connectionTimeout: Math.min(MAX_CONNECT_MS, limits.requestTimeoutMs),
      httpAgent: noteKeptConnections(proxied ?? new HttpAgent(agent)),
      httpsAgent: noteKeptConnections(proxied ?? new HttpsAgent(agent)),
      logger: { trace: () => undefined, debug: () => undefined, info: () => undefined, warn, error: warn },
    },
    ...(endpoint.endpoint === undefined ? {} : { endpoint: endpoint.endpoint }),
    ...(endpoint.credentials === undefined ? {} : { credentials: { ...endpoint.credentials } }),
  });
}

/** Servers repeat the credentials that they refuse. */
function hideCredentials({ credentials }: S3Endpoint): void {
  const keys = credentials ? [credentials.accessKeyId, credentials.secretAccessKey, credentials.sessionToken] : [];
  secrets.add(keys.flatMap((text) => (text === undefined ? [] : [{ text, where: 'anywhere' as const }])));
}

const LOST_CODES: ReadonlySet<unknown> = new Set(['ECONNRESET', 'EPIPE']);
const lostKept = new WeakSet<object>();

/**
 * True for a failure that says no more than that a connection which was kept had been closed by the time the request
 * got there. Servers and proxies close connections that are idle for some seconds; it says nothing about whether they
 * work (https://www.rfc-editor.org/rfc/rfc9112#section-9.3.1, https://nodejs.org/api/http.html#requestreusedsocket).
 */
export function isLostKeptConnection(thrown: unknown): boolean {
  return typeof thrown === 'object' && thrown !== null && lostKept.has(thrown);
}

/** The request is not to be seen through the SDK: its failure is marked where it is made. */
function noteKeptConnections<A extends HttpAgent>(agent: A): A {
  const reuse = agent.reuseSocket.bind(agent);
  agent.reuseSocket = (socket, request) => {
    reuse(socket, request);
    request.prependOnceListener('error', (failure: NodeJS.ErrnoException) => {
      if (LOST_CODES.has(failure.code)) lostKept.add(failure);
    });
  };
  return agent;
}
