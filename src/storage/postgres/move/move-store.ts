import type { ChangeSet } from '../../../model/batch.js';
import type { Boundary } from '../../../model/boundary.js';
import type { BackfillPosition, HandedOver, MoveProcess, MoveRecord, MoveStore } from '../../move-store.js';
import { CLOCK_WIDTH, decodeClock, isWhole } from '../clock/clock-row.js';
import type { ClockWriter } from '../clock/clock-writer.js';
import type { Namespace } from '../connection/namespace.js';
import type { Row } from '../connection/statement.js';
import { type Transaction, UnknownOutcomeError } from '../connection/transaction.js';
import type { TransactionRunner } from '../connection/transaction-runner.js';
import { toBigint, toNumber, toText, toTextOrNull } from '../rows/columns.js';
import type { RecordWriter } from '../write/record-writer.js';
import type { StateReader } from '../write/state-reader.js';
import { takenOver } from '../write/taken-over.js';
import { createMoveStatements } from './move-statements.js';

const ATTEMPTS = 3;

/** The part of a namespace in a move. Whatever changes who leads locks the commit clock, as every commit does. */
export function createMoveStore({
  namespace,
  runner,
  reader,
  records,
  clockWriter,
}: {
  readonly namespace: Namespace;
  readonly runner: TransactionRunner;
  readonly reader: StateReader;
  readonly records: RecordWriter;
  readonly clockWriter: ClockWriter;
}): MoveStore {
  const sql = createMoveStatements(namespace);

  /** Every write here may be done twice. */
  async function write<T>(label: string, work: (transaction: Transaction) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt += 1)
      try {
        return await runner.write(label, work);
      } catch (thrown) {
        if (!(thrown instanceof UnknownOutcomeError) || attempt >= ATTEMPTS) throw thrown;
      }
  }

  /** @returns whether this record is the stored one now, also when it was before. */
  async function store(transaction: Transaction, { revision, state }: MoveRecord): Promise<boolean> {
    return (await transaction.query(sql.put, [revision, state])).length > 0;
  }

  async function isStored(transaction: Transaction, { revision, state }: MoveRecord): Promise<boolean> {
    const [row] = await transaction.query(sql.look);
    const [knownRevision, knownState] = (row ?? []).slice(CLOCK_WIDTH);
    return knownRevision != null && toNumber(knownRevision) === revision && knownState === state;
  }

  async function keptRows(transaction: Transaction): Promise<HandedOver['kept']> {
    const one = async (statement: typeof sql.members) => toText((await transaction.query(statement))[0]?.[0]);
    const [leases, members, replayJobs, replacements] = await Promise.all([
      one(sql.leases),
      one(sql.members),
      one(sql.replayJobs),
      one(sql.replacements),
    ]);
    return { leases, members, replayJobs, replacements };
  }

  async function backfill(set: ChangeSet): Promise<BackfillPosition | null> {
    return await write('backfill', async (transaction) => {
      const [row] = await transaction.query(records.oneAtATime.statement);
      if (!row) return null;
      const at = decodeBackfill(row);
      if (at.position !== set.afterPosition) return at;
      const position = least(set.throughPosition, at.throughPosition);
      const changes = set.changes.filter((change) => change.position <= position);
      const boundaries = (set.boundaries ?? []).filter((boundary) => boundary.position < at.throughPosition);
      const after = [...clockWriter.boundaries(boundaries), { statement: sql.moveBackfill, values: [position] }];
      await transaction.commit(takenOver(records, changes, after));
      return { ...at, position };
    });
  }

  /** The beginning: from here on the database is complete. */
  async function endBackfill(): Promise<null> {
    return await write('end backfill', async (transaction) => {
      await reader.lock(transaction);
      await transaction.commit([
        { statement: sql.clearFloor, values: [] },
        { statement: sql.endBackfill, values: [] },
      ]);
      return null;
    });
  }

  return {
    async look() {
      const [row = []] = await runner.read('look at move', { statement: sql.look, values: [] });
      const clock = decodeClock(row);
      const [revision, state, position, throughPosition] = row.slice(CLOCK_WIDTH);
      return {
        record: revision == null ? null : { revision: toNumber(revision), state: toText(state) },
        handedOver: clock.handedOver,
        head: { position: clock.lastPosition, ingestionMs: clock.lastMs },
        isWhole: isWhole(clock),
        floor: { position: clock.floorPosition, ingestionMs: clock.floorMs },
        backfill:
          position == null ? null : { position: toBigint(position), throughPosition: toBigint(throughPosition) },
      };
    },
    put: (record) =>
      write('put move', async (transaction) => {
        if (!(await store(transaction, record))) return false;
        await transaction.commit([]);
        return true;
      }),
    follow: (record, boundary) =>
      write('follow', async (transaction) => {
        const clock = await reader.lock(transaction);
        if (!(await store(transaction, record))) return false;
        const isEmpty = clock.headPosition === 0n && boundary.position > 0n;
        await transaction.commit([
          ...(isEmpty ? standAt(boundary) : []),
          { statement: sql.setHandedOver, values: [1] },
        ]);
        return true;
      }),
    handOver: (record) =>
      write('hand over', async (transaction) => {
        const { lastPosition: position, lastMs: ingestionMs } = await reader.lock(transaction);
        if (!(await store(transaction, record))) return null;
        const kept = await keptRows(transaction);
        await transaction.commit([{ statement: sql.setHandedOver, values: [1] }]);
        return { head: { position, ingestionMs }, kept };
      }),
    lead: (record, { head, kept }) =>
      write('lead', async (transaction) => {
        const clock = await reader.lock(transaction);
        // it leads already: by this record, or it was never to end its lead
        if (!clock.handedOver) return await isStored(transaction, record);
        const isThere = isWhole(clock) && clock.lastPosition === head.position && clock.lastMs === head.ingestionMs;
        if (!isThere || !(await store(transaction, record))) return false;
        const goAlong = sql.kept.flatMap(({ key, clear, fill }) => [
          { statement: clear, values: [] },
          { statement: fill, values: [kept[key]] },
        ]);
        await transaction.commit([...goAlong, { statement: sql.setHandedOver, values: [0] }]);
        return true;
      }),
    leadAgain: (record) =>
      write('lead again', async (transaction) => {
        await reader.lock(transaction);
        if (!(await store(transaction, record))) return false;
        await transaction.commit([{ statement: sql.setHandedOver, values: [0] }]);
        return true;
      }),
    async backfill(set) {
      const at = await backfill(set);
      return at === null || at.position < at.throughPosition ? at : await endBackfill();
    },
    async standbyLagMs() {
      const [row] = await runner.read('read lag of standbys', { statement: sql.standbyLag, values: [] });
      return row?.[0] == null ? null : toNumber(row[0]);
    },
    async attend({ process, role, revision, figures }, lastsMs) {
      await write('attend move', async (transaction) => {
        await transaction.commit([
          { statement: sql.attend, values: [process, role, revision, lastsMs, figures] },
          { statement: sql.sweep, values: [] },
        ]);
      });
    },
    async leave(process) {
      await write('leave move', async (transaction) => {
        await transaction.commit([{ statement: sql.leave, values: [process] }]);
      });
    },
    async processes() {
      const rows = await runner.read('read processes of move', { statement: sql.processes, values: [] });
      return rows.map(
        (row): MoveProcess => ({
          process: toText(row[0]),
          role: toText(row[1]),
          revision: toNumber(row[2]),
          sinceMs: toNumber(row[3]),
          figures: toTextOrNull(row[4]),
        }),
      );
    },
  };

  function standAt({ position, ingestionMs }: Boundary) {
    return [
      { statement: sql.standAt, values: [position, ingestionMs] },
      { statement: sql.beginBackfill, values: [position] },
      ...clockWriter.boundaries([{ position, ingestionMs }]),
    ];
  }
}

function decodeBackfill(row: Row): BackfillPosition {
  return { position: toBigint(row[0]), throughPosition: toBigint(row[1]) };
}

function least(a: bigint, b: bigint): bigint {
  return a < b ? a : b;
}
