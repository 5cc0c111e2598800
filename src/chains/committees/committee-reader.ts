import type { Common } from '../../core/common.js';
import type { CommitteeReader } from '../../protocol/committee-reading.js';
import type { RpcPool } from '../rpc/rpc-pool.js';
import { DestinationCommittees } from './destination-committees.js';

/** A chain whose contracts check proofs. */
export interface Destination {
  /** For errors, from the configuration. */
  readonly name: string;
  readonly selector: bigint;
  readonly rpc: RpcPool;
}

/** The parts of a committee reader. */
export interface CommitteeReaderOptions {
  readonly destinations: readonly Destination[];
  readonly common: Common;
}

/** A committee reader with work to end. */
export interface ClosableCommitteeReader extends CommitteeReader {
  /** Ends readings under way. Idempotent. The pools stay open. */
  close(): void;
}

/** Reads the committees of some destination chains; nothing is asked before the first question. */
export function createCommitteeReader({ destinations, common }: CommitteeReaderOptions): ClosableCommitteeReader {
  const closing = new AbortController();
  const { signal } = closing;
  const bySelector = new Map(
    destinations.map(({ name, selector, rpc }) => [selector, new DestinationCommittees({ name, rpc, common, signal })]),
  );
  return {
    async read(question, freshness) {
      return (await bySelector.get(question.destChainSelector)?.read(question, freshness)) ?? null;
    },
    close: () => closing.abort(),
  };
}
