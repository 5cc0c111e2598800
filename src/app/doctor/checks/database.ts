import type { Diagnosis } from '../../../storage/postgres/diagnosis/diagnose.js';
import { indexHealth } from '../../../storage/postgres/diagnosis/index-health.js';
import { mendIndex, vacuumTable } from '../../../storage/postgres/diagnosis/mend.js';
import {
  connections,
  longTransactions,
  replicationSlots,
  transactionAge,
} from '../../../storage/postgres/diagnosis/server-load.js';
import { tableHealth } from '../../../storage/postgres/diagnosis/table-health.js';
import { expectedIndexes } from '../../../storage/postgres/migrate/expected-indexes.js';
import { defineCheck, type Look } from '../check.js';
import { databaseSections, statementRepair, withDatabase } from '../databases.js';
import type { Repair } from '../finding.js';

/** Autovacuum comes every minute; it is behind when there is far more than it waits for. */
const VACUUM_BEHIND = { times: 5, leastRows: 50_000 };
const BLOAT = { times: 3, leastBytes: 256 * 1024 ** 2 };
const LONG_MS = 300_000;
const MOST_CONNECTIONS = 0.9;
const MUCH_WAL_BYTES = 10 * 1024 ** 3;
/** Of 2^31. */
const OLD_TRANSACTIONS = 1_000_000_000;

type Id =
  | 'index-invalid'
  | 'index-missing'
  | 'index-bloated'
  | 'vacuum-off'
  | 'vacuum-behind'
  | 'transaction-long'
  | 'connections-scarce'
  | 'replication-slot-idle'
  | 'transaction-age';

/** The repair by a statement, as a change of a finding. */
type Mend = (text: string) => { readonly repair: Repair };

/** Tables, indexes and load of every database. */
export const databaseCheck = defineCheck<Id>({
  name: 'database',
  about: 'tables, indexes, connections, long transactions and replication slots of every database',
  kinds: {
    'index-invalid': {
      severity: 'error',
      meaning: 'A build of the index was cut off: no query uses it, and those that need it read whole tables.',
      next: '`REINDEX INDEX CONCURRENTLY "{namespace}"."{index}"`',
    },
    'index-missing': {
      severity: 'error',
      meaning: 'An index that the migrations make is not there, so queries that need it read whole tables.',
      next: 'make it again as the file in migrations/ does, with CREATE INDEX CONCURRENTLY',
    },
    'index-bloated': {
      severity: 'warning',
      meaning: 'The index is far larger than it would be if it were built anew (an estimate).',
      next: '`REINDEX INDEX CONCURRENTLY "{namespace}"."{index}"`, at a quiet hour',
    },
    'vacuum-off': {
      severity: 'warning',
      meaning: 'Autovacuum is switched off, so tables grow with every change, and reads become slow.',
      next: 'set autovacuum = on, and reset autovacuum_enabled of the tables',
    },
    'vacuum-behind': {
      severity: 'warning',
      meaning: 'The table has far more dead rows than autovacuum waits for: it does not keep up, or is held up.',
      next: 'see transaction-long; then `VACUUM (ANALYZE) "{namespace}"."{table}"`',
    },
    'transaction-long': {
      severity: 'warning',
      meaning: 'A transaction is open for long: no row that died since it began can be removed.',
      next: 'see who it is, and end it: `SELECT pg_terminate_backend({holder})`',
    },
    'connections-scarce': {
      severity: 'warning',
      meaning: 'Nearly all connections of the server are taken, and the next process may get none.',
      next: 'raise max_connections, lower MaxOpenConnections, or put a pooler before the server',
    },
    'replication-slot-idle': {
      severity: 'warning',
      meaning: 'Nobody reads a replication slot, and the server keeps WAL for it until its disk is full.',
      next: "start its reader, or `SELECT pg_drop_replication_slot('{slot}')`",
    },
    'transaction-age': {
      severity: 'error',
      meaning: 'Old transaction ids are not frozen: at 2^31 the server takes no writes any more.',
      next: 'see transaction-long and vacuum-off; then VACUUM FREEZE as the account that owns the tables',
    },
  },
  async run(look) {
    await look.each(
      databaseSections(look.config),
      ({ Name }) => Name,
      async (section) => {
        const mend = (text: string) => ({ repair: statementRepair(section, look, text) });
        await withDatabase(section, look, async (diagnosis) => {
          await tables(section.Name, diagnosis, mend, look);
          await indexes(section.Name, diagnosis, mend, look);
          await server(section.Name, diagnosis, look);
        });
      },
    );
  },
});

async function tables(subject: string, diagnosis: Diagnosis, mend: Mend, { found }: Look<Id>): Promise<void> {
  const { namespace } = diagnosis;
  const all = await tableHealth(diagnosis);
  const off = all.filter(({ isVacuumOff }) => isVacuumOff).map(({ table }) => table);
  if (off.length > 0) found('vacuum-off', subject, { tables: off });
  for (const { table, deadRows, vacuumAbove, lastVacuumMs } of all)
    if (deadRows > VACUUM_BEHIND.leastRows && deadRows > VACUUM_BEHIND.times * vacuumAbove)
      found(
        'vacuum-behind',
        subject,
        { namespace, table, deadRows, vacuumAbove, lastVacuumMs },
        mend(vacuumTable(namespace, table)),
      );
}

async function indexes(subject: string, diagnosis: Diagnosis, mend: Mend, { found }: Look<Id>): Promise<void> {
  const { namespace } = diagnosis;
  const all = await indexHealth(diagnosis);
  const names = new Set(all.map(({ index }) => index));
  // without tables there is no schema, which is another check's finding
  const missing = all.length === 0 ? [] : (await expectedIndexes()).filter(({ index }) => !names.has(index));
  for (const { index, create } of missing)
    found('index-missing', subject, { namespace, index }, mend(create(namespace)));
  for (const { index, table, isValid, bytes, packedBytes } of all)
    if (!isValid) found('index-invalid', subject, { namespace, index, table }, mend(mendIndex(namespace, index)));
    else if (packedBytes > 0 && bytes > BLOAT.leastBytes && bytes > BLOAT.times * packedBytes)
      found('index-bloated', subject, { namespace, index, table, bytes, packedBytes });
}

async function server(subject: string, diagnosis: Diagnosis, { found, common }: Look<Id>): Promise<void> {
  const { open, most } = await connections(diagnosis);
  if (open > most * MOST_CONNECTIONS) found('connections-scarce', subject, { open, most });
  for (const { sinceMs, ...transaction } of await longTransactions(diagnosis, LONG_MS))
    found('transaction-long', subject, { ...transaction, sinceMs, openForMs: common.clock.nowMs() - sinceMs });
  for (const { slot, isActive, keptBytes } of await replicationSlots(diagnosis))
    if (!isActive && (keptBytes ?? 0) > 0) {
      const isMuch = (keptBytes ?? 0) > MUCH_WAL_BYTES;
      found('replication-slot-idle', subject, { slot, keptBytes }, isMuch ? { severity: 'error' } : {});
    }
  const transactions = await transactionAge(diagnosis);
  if (transactions > OLD_TRANSACTIONS) found('transaction-age', subject, { transactions });
}
