import type { Hex } from '../core/hex.js';
import type { Lane } from '../protocol/message.js';

/** Message numbers of one OnRamp and destination that no message has, both ends inclusive. */
export interface MissingNumbers extends Lane {
  readonly onRampAddress: Hex;
  readonly fromNumber: bigint;
  readonly throughNumber: bigint;
}

/** How often the messages of a gap were asked for again. */
export interface GapAsk extends MissingNumbers {
  readonly timesAsked: number;
  /** The last time, unix ms. */
  readonly askedMs: number;
}

/** The count of all lanes as of a commit, packed by `src/lanes`. */
export interface KeptBoard {
  /** The last position of the commit. */
  readonly position: bigint;
  /** Its time, unix ms. */
  readonly ingestionMs: number;
  readonly bytes: Uint8Array;
}

/**
 * The notes of a namespace about its lanes, for all its processes. Losing them costs time only.
 * @throws StorageUnavailableError, StorageFailureError from every method; each may be repeated.
 */
export interface LaneRecords {
  /** The gaps that were asked for in the last thirty days. */
  asks(): Promise<readonly GapAsk[]>;
  /** The last board that was kept; null: none was. */
  board(): Promise<KeptBoard | null>;
  /** Keeps a board, unless a later one is kept. */
  keepBoard(board: KeptBoard): Promise<void>;
  /** A gap was asked for once more. */
  noteAsk(gap: MissingNumbers, atMs: number): Promise<void>;
}

/** The notes of a process that fills its storage alone. */
export function createLaneRecords(): LaneRecords {
  const asks = new Map<string, GapAsk>();
  return {
    asks: async () => [...asks.values()],
    // its records end with the process as well
    board: async () => null,
    keepBoard: async () => undefined,
    async noteAsk(gap, atMs) {
      const key = Object.values(gap).join(' ');
      const timesAsked = (asks.get(key)?.timesAsked ?? 0) + 1;
      asks.delete(key);
      asks.set(key, { ...gap, timesAsked, askedMs: atMs });
      const [oldest] = asks.keys();
      if (asks.size > MOST_ASKS && oldest !== undefined) asks.delete(oldest);
    },
  };
}

const MOST_ASKS = 10_000;
