import { InvalidArgumentError } from '../core/errors.js';

/** Address, limits and times of an HTTP server. */
export interface HttpSettings {
  /** Address to bind, for example `0.0.0.0` or `127.0.0.1`. */
  readonly host: string;
  /** 0: any free port, see `address()`. */
  readonly port: number;
  /** Longest request target (path and query) in bytes; longer is a 414. Default 24 576: 500 selectors twice. */
  readonly maxUrlBytes?: number;
  /** Most header lines of a request; more is a 431. Default 64. */
  readonly maxHeaders?: number;
  /** Most bytes of the request line and all header lines together; more is a 431. Default 40 960. */
  readonly maxHeaderBytes?: number;
  /** Time a client has to send a whole request, after which it gets a 408. Default 10 000. */
  readonly requestTimeoutMs?: number;
  /** Time an unused keep-alive connection stays open. Default 65 000, above the usual 60 s of load balancers. */
  readonly keepAliveTimeoutMs?: number;
  /** Time a new connection has for its first byte. Default 10 000. */
  readonly firstByteTimeoutMs?: number;
  /**
   * Time in which a client reads some of the bytes that are ready for it, before its connection is cut. Default 20 000.
   */
  readonly readTimeoutMs?: number;
  /** Open connections, see `watchConnections`. Default 1000, at most the server's share of descriptors. */
  readonly maxConnections?: number;
  /** Open connections of one client address (an IPv6 client is its /64; trusted proxies are exempt). Default 256. */
  readonly maxConnectionsPerAddress?: number;
  /** Time `close` gives requests under way before their connections are cut. Default 10 000. */
  readonly drainLimitMs?: number;
}

/** Requests a second that one client address may make; an IPv6 client is its /64. */
export interface RateLimitSettings {
  readonly enabled: boolean;
  /** Default 50: an executor polls once a second and asks a few dozen messages between two polls. */
  readonly requestsPerSecond?: number;
}

/** Settings of the query API. */
export interface ApiSettings extends HttpSettings {
  /**
   * Addresses and CIDR ranges whose `X-Forwarded-For` is believed to name the client. Default none: the header is
   * ignored.
   */
  readonly trustedProxies?: readonly string[];
  /** Default: off. `/health` and `/ready` are never limited. */
  readonly rateLimit?: RateLimitSettings;
  /** Origins whose pages may read answers (`https://app.example.org`), or `*` alone: of every one. Default: none. */
  readonly corsOrigins?: readonly string[];
  /** Bytes of rendered records kept for the next request. Default 64 MiB; 0 keeps none. */
  readonly fragmentCacheBytes?: number;
  /** Memory of all answers under way; an answer that would exceed it is a 503. Default 128 MiB. */
  readonly maxAnswerBytes?: number;
  /**
   * Bytes of records that an answer reads at once. Records beyond are outlines, whose contents are read as the client
   * takes them. Default 2 MiB.
   */
  readonly answerPartBytes?: number;
  /**
   * An answer longer than this is compressed for a client that accepts it. Default 16 KiB: the first packets of a
   * connection carry 14, so that a shorter answer arrives no sooner. 0: none is.
   */
  readonly compressAboveBytes?: number;
  /** Readers of events at once; more are a 503. Default 500: connections are left for others. */
  readonly maxFeedReaders?: number;
}

/** Settings of the admin port. */
export interface AdminSettings extends HttpSettings {
  /** Every request but those for `/health` and `/ready` has to carry it. Default: none has to. */
  readonly bearerToken?: string | undefined;
}

/** Requests a second and client address when rate limiting is on and nothing else is said. */
export const DEFAULT_REQUESTS_PER_SECOND = 50;

/** Bytes of rendered records that are kept when nothing else is said. */
export const DEFAULT_FRAGMENT_CACHE_BYTES = 64 * 1024 * 1024;

/** Memory of all answers under way when nothing else is said. */
export const DEFAULT_MAX_ANSWER_BYTES = 128 * 1024 * 1024;

/** Readers of events at once when nothing else is said. */
export const DEFAULT_MAX_FEED_READERS = 500;

/** Bytes of records read at once when nothing else is said: more than a thousand of the usual size. */
export const DEFAULT_ANSWER_PART_BYTES = 2 * 1024 * 1024;

/** Length above which answers are compressed when nothing else is said. */
export const DEFAULT_COMPRESS_ABOVE_BYTES = 16 * 1024;

/** `HttpSettings` with every default filled in. */
export type ResolvedHttpSettings = Required<HttpSettings>;

/** @throws InvalidArgumentError naming the first setting that cannot work. */
export function resolveHttpSettings(settings: HttpSettings): ResolvedHttpSettings {
  const resolved = {
    maxUrlBytes: 24_576,
    maxHeaders: 64,
    maxHeaderBytes: 40_960,
    requestTimeoutMs: 10_000,
    keepAliveTimeoutMs: 65_000,
    firstByteTimeoutMs: 10_000,
    readTimeoutMs: 20_000,
    maxConnections: 1_000,
    maxConnectionsPerAddress: 256,
    drainLimitMs: 10_000,
    ...settings,
  };
  for (const name of NUMBERS) {
    const value = resolved[name];
    if (!Number.isSafeInteger(value) || value < (name === 'port' ? 0 : 1))
      throw new InvalidArgumentError(`${name} is ${value}: pass a whole number above 0`);
  }
  return resolved;
}

const NUMBERS = [
  'port',
  'maxUrlBytes',
  'maxHeaders',
  'maxHeaderBytes',
  'requestTimeoutMs',
  'keepAliveTimeoutMs',
  'firstByteTimeoutMs',
  'readTimeoutMs',
  'maxConnections',
  'maxConnectionsPerAddress',
  'drainLimitMs',
] as const;
