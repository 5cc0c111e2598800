/** One tier of the indexer at one moment: plain data. */
export interface TierRow {
  readonly name: string;
  /** Messages and verifications it holds; null while it cannot be asked. */
  readonly records: number | null;
  /** It answers for the changes from `fromPosition` to `throughPosition`; null: for none. */
  readonly positions: { readonly fromPosition: bigint; readonly throughPosition: bigint } | null;
  /** Lookups by message id that it was asked for. */
  readonly lookups: number;
  /** Lists and counts that it answered alone. */
  readonly lists: number;
}

/** All tiers at one moment. */
export interface TierSnapshot {
  /** In the order in which they are read. */
  readonly rows: readonly TierRow[];
  /** Lists and counts that several tiers answered together. */
  readonly sharedLists: number;
  /** Questions that no tier could answer. */
  readonly unanswered: number;
}

const NAME_WIDTH = 18;
const RECORDS_WIDTH = 9;
const POSITIONS_WIDTH = 18;
const COUNT_WIDTH = 9;

/** A row a tier: its records, and the questions that it was asked and answered. Narrower than 80 columns. */
export function renderTiers({ rows, sharedLists, unanswered }: TierSnapshot): string[] {
  const line = (name: string, records: string, positions: string, lookups: string, lists: string) =>
    (
      name.padEnd(NAME_WIDTH) +
      records.padStart(RECORDS_WIDTH) +
      positions.padStart(POSITIONS_WIDTH) +
      lookups.padStart(COUNT_WIDTH) +
      lists.padStart(COUNT_WIDTH)
    ).trimEnd();
  return [
    line('tier', 'records', 'positions', 'lookups', 'lists'),
    ...rows.map(({ name, records, positions, lookups, lists }) =>
      line(
        name,
        records === null ? '–' : String(records),
        positions === null ? '–' : `${positions.fromPosition}–${positions.throughPosition}`,
        String(lookups),
        String(lists),
      ),
    ),
    line('several together', '', '', '', String(sharedLists)),
    ...(unanswered === 0 ? [] : [`${unanswered} questions that no tier could answer just then`]),
  ];
}

/** The same in a few words, for a log file. */
export function renderTiersBriefly({ rows }: TierSnapshot): string {
  return rows
    .map(({ name, records, lookups, lists }) => `${name} ${records ?? '–'} (${lookups} lookups, ${lists} lists)`)
    .join('  ');
}
