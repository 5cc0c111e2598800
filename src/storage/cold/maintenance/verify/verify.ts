import type { Common } from '../../../../core/common.js';
import { AbortedError } from '../../../../core/errors.js';
import type { DataFile } from '../../namespace/data-file.js';
import type { ScanParts } from '../../namespace/file-scan.js';
import { RECORD_TABLES, type RecordTable } from '../../namespace/record-tables.js';
import { LEDGER_TABLE } from '../../read/ledger-reads.js';
import type { LedgerEntry, LedgerRowKey } from '../../rows/ledger.js';
import type { RecordKey } from '../../rows/row-kind.js';
import { TABLE_NAMES, type TableName } from '../../rows/table-name.js';
import type { VerifyOptions, VerifyProblem, VerifyReport } from '../cold-maintenance.js';
import { SeenIdentities, SeenPositions } from './seen.js';
import { type CheckedFile, type FileChecks, verifyFile } from './verify-file.js';
import { listedSizes, verifyListed } from './verify-listed.js';
import { type TellProblem, verifyLog } from './verify-log.js';
import { type LoggedState, logReaderOf, readHeldLedger, readLoggedState } from './verify-state.js';

const SET_BACK =
  'a table was set back or deleted: restore it from a copy of the bucket, or let the namespace be followed anew';
const ANEW = 'answers may be wrong: report it, and let the namespace be followed anew';

/**
 * Reads a whole namespace back and checks it, against the state of the beginning. It needs no storage that can be
 * opened: damage is told of and passed over. Memory: one row group, the ids of one file, a bit for each
 * position, and 16 bytes for each record up to a bound (`SeenIdentities`).
 */
export class Verification {
  readonly #parts: ScanParts;
  readonly #common: Common;

  constructor(parts: { readonly scan: ScanParts; readonly common: Common }) {
    this.#parts = parts.scan;
    this.#common = parts.common;
  }

  /** @throws AbortedError, and errors of the object store that are no damage. */
  async run(options: VerifyOptions): Promise<VerifyReport> {
    const problems: VerifyProblem[] = [];
    const tellOf =
      (table: TableName): TellProblem =>
      (path, what, advice) =>
        problems.push({ table, path, what, advice });
    const state = await readLoggedState(this.#parts, this.#common, tellOf);
    for (const { table, what } of state.mismatches) tellOf(table)('', what, SET_BACK);
    const total = TABLE_NAMES.reduce((files, table) => files + state.files[table].length, 0);
    let [files, rows, bytes, uncomparedRows] = [0, 0, 0, 0];
    for (const table of TABLE_NAMES) {
      const tell = tellOf(table);
      await this.#log(state, table, tell);
      const check = options.content === false ? await this.#listingCheck(table) : await this.#tableCheck(state, table);
      for (const file of state.files[table]) {
        if (options.signal?.aborted) throw new AbortedError('verification', { cause: options.signal.reason });
        const checked = await this.#unlessCompacted(table, file, tell, check.file);
        rows += checked.rows;
        bytes += checked.bytes;
        files += 1;
        options.onProgress?.({ step: 'read files', done: files, total, unit: 'files' });
      }
      check.end(tell);
      uncomparedRows += check.uncompared();
    }
    return { ok: problems.length === 0, files, rows, bytes, uncomparedRows, problems };
  }

  async #log({ snapshots }: LoggedState, table: TableName, tell: TellProblem): Promise<void> {
    await verifyLog(logReaderOf(this.#parts, this.#common, table), table, snapshots[table], tell);
  }

  /** A file that was compacted and vacuumed away meanwhile has no problem. */
  async #unlessCompacted(
    table: TableName,
    file: DataFile,
    tell: TellProblem,
    verify: (file: DataFile, tell: TellProblem) => Promise<CheckedFile>,
  ): Promise<CheckedFile> {
    const told: Parameters<TellProblem>[] = [];
    const checked = await verify(file, (...problem) => told.push(problem));
    if (told.length === 0) return checked;
    const now = await logReaderOf(this.#parts, this.#common, table)
      .read()
      .catch(() => null);
    if (now === null || now.files.has(file.uri)) for (const problem of told) tell(...problem);
    return checked;
  }

  /** Of each file and its index, whether it is there. */
  async #listingCheck(table: TableName): Promise<TableCheck> {
    const sizes = await listedSizes(this.#parts, table);
    return {
      uncompared: () => 0,
      end: () => undefined,
      file: async (file, tell) => verifyListed(file, sizes, tell),
    };
  }

  async #tableCheck(state: LoggedState, table: TableName): Promise<TableCheck> {
    if (table !== 'ledger') return this.#recordCheck(RECORD_TABLES[table], state);
    const holds = await readHeldLedger(this.#parts, state.files.ledger);
    const seen = new SeenPositions();
    const checks: FileChecks<LedgerEntry, LedgerRowKey> = {
      ...LEDGER_TABLE,
      msOf: () => null,
      onRow: (key) => {
        // a record that came back has its position in its table
        if (key.kind !== 'return' && holds(key)) seen.add(key.position);
      },
    };
    return this.#checkOf(checks, seen, state);
  }

  #recordCheck<T, K extends RecordKey>(records: RecordTable<T, K>, state: LoggedState): TableCheck {
    const seen = new SeenPositions();
    const identities = new SeenIdentities();
    const checks: FileChecks<T, K> = {
      ...records,
      msOf: ({ ingestionMs }) => ingestionMs,
      onRow: (key) => {
        seen.add(key.position);
        identities.add(records.identityOf(key));
      },
    };
    const check = this.#checkOf(checks, seen, state);
    return {
      file: check.file,
      uncompared: () => identities.uncompared,
      end: (tell) => {
        check.end(tell);
        if (identities.doubles > 0) tell('', `${identities.doubles} records have two rows`, ANEW);
      },
    };
  }

  #checkOf<T, K extends { readonly position: bigint }>(
    checks: FileChecks<T, K>,
    seen: SeenPositions,
    { head }: LoggedState,
  ): TableCheck {
    return {
      uncompared: () => 0,
      file: async (file, tell) => {
        const before = seen.doubles;
        const checked = await verifyFile(this.#parts, checks, file, tell);
        const doubles = seen.doubles - before;
        if (doubles > 0) tell(file.path, `${doubles} of its positions hold in another row as well`, ANEW);
        return checked;
      },
      end: (tell) => {
        if (seen.highest > head.position)
          tell('', `a row has position ${seen.highest}, and the ledger stands at ${head.position}`, ANEW);
      },
    };
  }
}

/** The checks of one table, file by file. */
interface TableCheck {
  file(file: DataFile, tell: TellProblem): Promise<CheckedFile>;
  end(tell: TellProblem): void;
  /** Rows of which identities were not compared. */
  uncompared(): number;
}
