import type { SourceSession } from './import-errors.js';
import type { GoDiscovery, SourceProblem } from './source-check.js';

/** What stands against an import, and what it will bring. */
export interface GoIndexerCheck {
  readonly problems: readonly SourceProblem[];
  /** Messages by which the zone was checked; 0: it is not. */
  readonly zoneSampled: number;
  /** Rows of both tables, as far as their statistics know. */
  readonly rows: number;
  readonly discoveries: TakenDiscoveries;
}

/** The Go indexer's cursors. */
export interface TakenDiscoveries {
  /** By the configured name; `height`: the last sequence that was read. */
  readonly taken: readonly { readonly name: string; readonly height: bigint }[];
  /** No configured aggregator has their address. */
  readonly unknown: readonly GoDiscovery[];
}

/** Matches their cursors with the configured aggregators. */
export function matchDiscoveries(
  configured: readonly { readonly name: string; readonly address: string; readonly since: bigint }[],
  found: readonly GoDiscovery[],
): TakenDiscoveries {
  const byAddress = new Map(configured.map((each) => [each.address, each]));
  const taken = found.flatMap(({ location, sequence }) => {
    const discovery = byAddress.get(location);
    // at its `Since` it has read nothing
    return discovery && sequence > discovery.since ? [{ name: discovery.name, height: sequence - 1n }] : [];
  });
  return { taken, unknown: found.filter(({ location }) => !byAddress.has(location)) };
}

/** How far an import is. */
export interface GoIndexerProgress {
  readonly phase: 'filling' | 'following';
  /** Rows stored since this process began. */
  readonly rowsTaken: number;
  /** Rows of both tables, as far as their statistics know. */
  readonly rowsInAll: number;
  readonly rowsPerSecond: number;
  /** The age of the moment whose rows are all stored, as far as is proved, ms; null: none is proved yet. */
  readonly behindMs: number | null;
  /** This step found nothing: the next may come in a second. */
  readonly isIdle: boolean;
}

/** What an import brought. */
export interface GoIndexerReport {
  readonly theirs: Counts;
  /** Rows that are stored; with the quarantined ones those of theirs, unless rows were deleted there. */
  readonly ours: Counts;
  /** Quarantined rows by table and reason: `messages message_id`. Some of `addresses_unknown` may be stored now. */
  readonly quarantined: Readonly<Record<string, number>>;
  /** Since this process began. */
  readonly doubts: {
    /** Messages whose time the wall clock read twice: one of two instants was chosen, by their results. */
    readonly folded: number;
    /** Rows that lacked addresses: they have those that the message's hash proves. */
    readonly completed: number;
  };
  readonly discoveries: TakenDiscoveries;
  /** Sessions that could write to the tables, and did not. */
  readonly sessions: readonly (SourceSession & { readonly sessions: number })[];
  /** Facts that their tables do not have. */
  readonly lost: readonly string[];
}

interface Counts {
  readonly messages: number;
  readonly verifierResults: number;
}

/** See `GoIndexerReport.lost`. */
export const LOST = [
  'verifier names: results have the name of the verifier that is configured for their CCV, or none',
  'microseconds of times: they are cut to milliseconds, so rows of one millisecond are ordered by id',
  'executors of messages: they are those of their results, or proved by the hash in the message',
  'last errors of messages, and replay jobs',
  'blocks and transactions of messages: their tables never had them, a chain that is watched adds them',
];
