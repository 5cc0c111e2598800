import { mapInParallel } from '../../../core/parallel.js';
import type { StoredConflict, StoredQuarantineEntry, StoredSourceCursor } from '../../../model/records.js';
import type { DataFile } from '../namespace/data-file.js';
import type { DataFileReader } from '../namespace/file-reader.js';
import type { NamespaceView } from '../namespace/view.js';
import { LEDGER_ROWS, type LedgerChange, type LedgerEntry, type LedgerRowKey, ledgerIdentity } from '../rows/ledger.js';

const PARALLEL_FILES = 8;

/** The ledger's table, and how its rows are read. */
export const LEDGER_TABLE = { table: 'ledger', rows: LEDGER_ROWS } as const;

interface Place {
  readonly position: bigint;
  readonly file: DataFile;
  readonly group: number;
  readonly row: number;
}

/** A record left the lists, or came back. */
interface Orphaning {
  readonly position: bigint;
  readonly isBack: boolean;
}

/**
 * The ledger in memory: the cursors, and the places of all other rows. About 400 bytes for each source, quarantined
 * input and conflict that is stored, and nothing for rows that are superseded: their identity is there once. The
 * states of orphaned records are all there, because views of different ages ask as of their own position.
 */
class LedgerState {
  readonly files = new Set<string>();
  readonly cursors = new Map<string, StoredSourceCursor>();
  /** The latest place by kind and identity. */
  readonly latest = new Map<string, Place>();
  readonly #orphanings = new Map<string, Orphaning[]>();

  /** The last orphaning or return of a record up to a position; undefined when it was never orphaned. */
  orphaningOf(identity: string, throughPosition: bigint): Orphaning | undefined {
    return this.#orphanings.get(identity)?.findLast(({ position }) => position <= throughPosition);
  }

  add(change: LedgerEntry, place: Place): void {
    const { kind, identity, orphanId } = LEDGER_ROWS.keyOf(change);
    if (orphanId !== null) {
      const all = [...(this.#orphanings.get(identity) ?? []), { position: place.position, isBack: kind === 'return' }];
      this.#orphanings.set(
        identity,
        all.sort((a, b) => (a.position < b.position ? -1 : 1)),
      );
      return;
    }
    const name = nameOf(kind, identity);
    const known = this.latest.get(name);
    if (known && known.position >= place.position) return;
    this.latest.set(name, place);
    if (change.kind === 'cursor') this.cursors.set(change.record.sourceId, change.record);
  }
}

/** Cursors, quarantined input and conflicts. Files of the ledger are few and small: each is read once. */
export class LedgerReads {
  readonly #reader: DataFileReader;
  #state = new LedgerState();
  #reading: Promise<unknown> = Promise.resolve();

  constructor(reader: DataFileReader) {
    this.#reader = reader;
  }

  async cursors(view: NamespaceView): Promise<ReadonlyMap<string, StoredSourceCursor>> {
    return (await this.#upTo(view)).cursors;
  }

  /** Says of ledger rows whether they hold: no row of a higher position has their identity. */
  async holdTest(view: NamespaceView): Promise<(key: LedgerRowKey) => boolean> {
    const state = await this.#upTo(view);
    return ({ kind, identity, position, orphanId }) =>
      (orphanId === null ? state.latest.get(nameOf(kind, identity)) : state.orphaningOf(identity, view.position))
        ?.position === position;
  }

  /** Says whether a record is orphaned. */
  async orphanTest(view: NamespaceView): Promise<(identity: string) => boolean> {
    const state = await this.#upTo(view);
    return (identity) => state.orphaningOf(ledgerIdentity(identity), view.position)?.isBack === false;
  }

  /** Says whether a record of that identity is stored. */
  async knownTest(view: NamespaceView): Promise<(kind: LedgerChange['kind'], identity: string) => boolean> {
    const { latest } = await this.#upTo(view);
    return (kind, identity) => latest.has(nameOf(kind, identity));
  }

  async quarantine(
    view: NamespaceView,
    afterPosition: bigint,
    limit: number,
  ): Promise<readonly StoredQuarantineEntry[]> {
    const found = await this.#after(view, 'quarantine', afterPosition, limit);
    return found.flatMap((change) => (change.kind === 'quarantine' ? [change.record] : []));
  }

  async conflicts(view: NamespaceView, afterPosition: bigint, limit: number): Promise<readonly StoredConflict[]> {
    const found = await this.#after(view, 'conflict', afterPosition, limit);
    return found.flatMap((change) => (change.kind === 'conflict' ? [change.record] : []));
  }

  async #after(
    view: NamespaceView,
    kind: LedgerChange['kind'],
    afterPosition: bigint,
    limit: number,
  ): Promise<readonly LedgerEntry[]> {
    const places: Place[] = [];
    for (const [name, place] of (await this.#upTo(view)).latest)
      if (name.startsWith(`${kind} `) && place.position > afterPosition) places.push(place);
    places.sort((a, b) => (a.position < b.position ? -1 : 1));
    return await mapInParallel(places.slice(0, limit), PARALLEL_FILES, async ({ file, group, row }) => {
      const [records] = await this.#reader.records(LEDGER_TABLE, file, [group]);
      return records?.[row] as LedgerEntry;
    });
  }

  /** The state with all files of a view in it; one call at a time reads. */
  async #upTo(view: NamespaceView): Promise<LedgerState> {
    const ready = this.#reading.then(() => this.#read(view));
    this.#reading = ready.catch(() => undefined);
    return await ready;
  }

  async #read(view: NamespaceView): Promise<LedgerState> {
    const { files } = view.tables.ledger;
    const present = new Set(files.map(({ uri }) => uri));
    const extends_ = [...this.#state.files].every((uri) => present.has(uri));
    // an older view than the last one is answered from the newer state
    if (!extends_ && files.every(({ uri }) => this.#state.files.has(uri))) return this.#state;
    const state = extends_ ? this.#state : new LedgerState();
    await mapInParallel(
      files.filter(({ uri }) => !state.files.has(uri)),
      PARALLEL_FILES,
      async (file) => {
        const { groups } = await this.#reader.footer('ledger', file);
        // one at a time: all of a compacted file would be as large in memory as its quarantined input is
        for (let group = 0; group < groups; group += 1) {
          const [records] = await this.#reader.records(LEDGER_TABLE, file, [group]);
          for (const [row, change] of (records ?? []).entries())
            state.add(change, { position: change.position, file, group, row });
        }
        state.files.add(file.uri);
      },
    );
    this.#state = state;
    return state;
  }
}

function nameOf(kind: LedgerEntry['kind'], identity: string): string {
  return `${kind} ${identity}`;
}
