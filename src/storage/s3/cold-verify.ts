import type { Common } from '../../core/common.js';
import { AbortedError } from '../../core/errors.js';
import type { ColdCatalog } from './cold-catalog.js';
import type { ScanParts } from './cold-file-scan.js';
import { type ColdFile, TABLE_NAMES, type TableName } from './cold-layout.js';
import { type ColdLedger, LEDGER_TABLE } from './cold-ledger.js';
import type { MaintenanceOptions, VerifyProblem, VerifyReport } from './cold-maintenance.js';
import type { RowKey } from './cold-rows-kind.js';
import type { LedgerChange, LedgerRowKey } from './cold-rows-ledger.js';
import { type CheckedFile, type FileChecks, verifyFile } from './cold-verify-file.js';
import { type TellProblem, verifyLog } from './cold-verify-log.js';
import { SeenIdentities, SeenPositions } from './cold-verify-seen.js';
import { type ColdView, type ListTable, MESSAGE_TABLE, RESULT_TABLE } from './cold-view.js';

const ANEW = 'answers may be wrong: report it, and let the namespace be followed anew';

/**
 * Reads a whole namespace back and checks it, against the state of the beginning. Memory: one row group, the ids of one
 * file, a bit for each position, and 16 bytes for each record up to a bound (`SeenIdentities`).
 */
export class ColdVerify {
  readonly #parts: ScanParts;
  readonly #common: Common;
  readonly #catalog: ColdCatalog;
  readonly #ledger: ColdLedger;

  constructor(parts: {
    readonly scan: ScanParts;
    readonly common: Common;
    readonly catalog: ColdCatalog;
    readonly ledger: ColdLedger;
  }) {
    this.#parts = parts.scan;
    this.#common = parts.common;
    this.#catalog = parts.catalog;
    this.#ledger = parts.ledger;
  }

  /** @throws AbortedError, and what the object store throws for reasons of its own. */
  async run(options: MaintenanceOptions): Promise<VerifyReport> {
    const view = await this.#catalog.refresh();
    const problems: VerifyProblem[] = [];
    const total = TABLE_NAMES.reduce((files, table) => files + view.tables[table].files.length, 0);
    let [files, rows, bytes] = [0, 0, 0];
    for (const table of TABLE_NAMES) {
      const tell: TellProblem = (path, what, advice) => problems.push({ table, path, what, advice });
      await this.#log(view, table, tell);
      const verify = await this.#fileCheck(view, table, tell);
      for (const file of view.tables[table].files) {
        if (options.signal?.aborted) throw new AbortedError('verification', { cause: options.signal.reason });
        const checked = await this.#unlessCompacted(table, file, tell, verify.file);
        rows += checked.rows;
        bytes += checked.bytes;
        files += 1;
        options.onProgress?.({ step: 'read files', done: files, total, unit: 'files' });
      }
      verify.end();
    }
    return { ok: problems.length === 0, files, rows, bytes, problems };
  }

  async #log(view: ColdView, table: TableName, tell: TellProblem): Promise<void> {
    const snapshot = view.snapshots[table];
    if (!snapshot) {
      if (view.position > 0n) tell('', `the ledger stands at ${view.position}, and this table does not exist`, ANEW);
      return;
    }
    const { store, zstd, keyOf } = this.#parts;
    const root = keyOf(table, '').slice(0, -1);
    await verifyLog({ store, zstd, root, common: this.#common }, table, snapshot, tell);
    for (const { uri, flushThrough } of view.tables[table].files)
      if (flushThrough > view.position)
        tell(uri, `it belongs to a flush up to ${flushThrough}, and the ledger stands at ${view.position}`, ANEW);
  }

  /** A file that was compacted and vacuumed away meanwhile has no problem. */
  async #unlessCompacted(
    table: TableName,
    file: ColdFile,
    tell: TellProblem,
    verify: (file: ColdFile, tell: TellProblem) => Promise<CheckedFile>,
  ): Promise<CheckedFile> {
    const told: Parameters<TellProblem>[] = [];
    const checked = await verify(file, (...problem) => told.push(problem));
    if (told.length === 0) return checked;
    const { snapshots } = await this.#catalog.refresh();
    if (snapshots[table]?.files.has(file.uri)) for (const problem of told) tell(...problem);
    return checked;
  }

  async #fileCheck(view: ColdView, table: TableName, tell: TellProblem): Promise<TableCheck> {
    switch (table) {
      case 'messages':
        return this.#listCheck(MESSAGE_TABLE, view, tell);
      case 'verifier_results':
        return this.#listCheck(RESULT_TABLE, view, tell);
      case 'ledger': {
        const holds = await this.#ledger.holdTest(view);
        const seen = new SeenPositions();
        const checks: FileChecks<LedgerChange, LedgerRowKey> = {
          ...LEDGER_TABLE,
          msOf: () => null,
          onRow: ({ kind, identity, position }) => {
            if (holds(kind, identity, position)) seen.add(position);
          },
        };
        return this.#tableCheck(checks, seen, view, tell);
      }
    }
  }

  #listCheck<T, K extends RowKey>(list: ListTable<T, K>, view: ColdView, tell: TellProblem): TableCheck {
    const { overlay } = view.tables[list.table];
    const seen = new SeenPositions();
    const identities = new SeenIdentities();
    const checks: FileChecks<T, K> = {
      ...list,
      msOf: ({ ingestionMs }) => ingestionMs,
      onRow: (key) => {
        if (overlay.supersedes(key, view.position)) return;
        seen.add(key.position);
        identities.add(key);
      },
    };
    const check = this.#tableCheck(checks, seen, view, tell);
    return {
      file: check.file,
      end: () => {
        check.end();
        if (identities.doubles > 0)
          tell('', `${identities.doubles} records have two rows of which neither supersedes the other`, ANEW);
      },
    };
  }

  #tableCheck<T, K extends { readonly position: bigint }>(
    checks: FileChecks<T, K>,
    seen: SeenPositions,
    view: ColdView,
    tell: TellProblem,
  ): TableCheck {
    return {
      file: async (file, tellOfFile) => {
        const before = seen.doubles;
        const checked = await verifyFile(this.#parts, checks, file, tellOfFile);
        const doubles = seen.doubles - before;
        if (doubles > 0) tellOfFile(file.path, `${doubles} of its positions hold in another row as well`, ANEW);
        return checked;
      },
      end: () => {
        if (seen.highest > view.position)
          tell('', `a row has position ${seen.highest}, and the ledger stands at ${view.position}`, ANEW);
      },
    };
  }
}

/** The checks of one table, file by file. */
interface TableCheck {
  file(file: ColdFile, tell: TellProblem): Promise<CheckedFile>;
  end(): void;
}
