import type { Claim, Rejection } from '../verifiers/claim.js';

/** One entry of a page, before it is decoded. */
export interface SequencedResult {
  /** Null when the entry has none that can be read. */
  readonly sequence: bigint | null;
  /** The bytes of its verifier result, or of the whole entry where that cannot be read; they own their memory. */
  readonly raw: Uint8Array;
}

/** Calls one aggregator. */
export interface DiscoveryClient {
  /**
   * The next entries from `sequence` (inclusive) on: at most a page. One call is one request.
   * @throws IndexerError when there is no answer or an unreadable one; AbortedError as soon as `signal` aborts.
   */
  messagesSince(sequence: bigint, signal?: AbortSignal): Promise<readonly SequencedResult[]>;
  /** Ends the connection once no call is under way. Idempotent. */
  close(): void;
}

/** The claim in the bytes of an entry, if there is one. `empty`: the entry says nothing. */
export type ReadClaim = (
  raw: Uint8Array,
) => { readonly kind: 'claim'; readonly claim: Claim } | Rejection | { readonly kind: 'empty' };
