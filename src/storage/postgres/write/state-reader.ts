import type { Hex } from '../../../core/hex.js';
import { resultIdentity } from '../../../model/identity.js';
import { CLOCK_COLUMNS, type ClockRow, decodeClock } from '../clock/clock-row.js';
import type { Namespace } from '../connection/namespace.js';
import { type Row, statementsOf } from '../connection/statement.js';
import type { Transaction } from '../connection/transaction.js';
import { bigintArray, hexArray, textArray } from '../rows/binary-arrays.js';
import { toBigint, toBoolean, toBytes, toHex, toHexOrNull, toNumber, toText } from '../rows/columns.js';
import { unpackBody } from '../rows/message-body.js';
import { prunedIdentity } from '../rows/pruned-hashes.js';
import { decodeOrigin, decodeStatus } from '../rows/record-rows.js';
import type { BodyState, ResultState, Touched, WriteState } from './write-state.js';

/** Reads, under the clock lock, the stored state that a group of batches touches. */
export interface StateReader {
  /** Takes the clock lock. Every other writer waits for the end of this transaction. */
  lock(transaction: Transaction): Promise<ClockRow>;
  /** Takes the clock lock and reads what the batches touch, in one round trip unless messages return. */
  lockAndRead(transaction: Transaction, touched: Touched): Promise<{ clock: ClockRow; state: WriteState }>;
  /** Fills in the bodies of these ids. */
  readBodies(transaction: Transaction, ids: readonly Hex[], state: WriteState): Promise<void>;
  /** Those of these conflicts that are recorded already. */
  readConflicts(transaction: Transaction, identities: readonly Hex[]): Promise<ReadonlySet<Hex>>;
}

const RESULT_STATE = `r.message_id, r.verifier_source, r.verifier_dest, r.ccv_data, r.attestation_ms, r.verifier_name,
  r.orphaned, r.ingestion_ms`;

export function createStateReader(namespace: Namespace): StateReader {
  const sql = createStatements(namespace);

  async function lock(transaction: Transaction): Promise<ClockRow> {
    const [row] = await transaction.query(sql.lock);
    return decodeClock(row ?? []);
  }

  async function readResultsOf(transaction: Transaction, ids: readonly Hex[], state: WriteState): Promise<void> {
    if (ids.length === 0) return;
    takeResults(await transaction.query(sql.resultsOf, [hexArray(ids)]), state);
  }

  return {
    lock,
    async lockAndRead(transaction, touched) {
      const { messageIds, withBody, results, sourceIds, quarantine } = touched;
      const query = async (wanted: number, ...call: Parameters<Transaction['query']>) =>
        wanted === 0 ? [] : await transaction.query(...call);
      // sent one behind the other, so answered after the lock is held, each with a snapshot of its own
      const [clock, ids, duplicates, siblings, cursors, entries] = await Promise.all([
        lock(transaction),
        query(messageIds.length, sql.messages, [
          hexArray(messageIds),
          bigintArray(messageIds.map((id) => (withBody.has(id) ? 1 : 0))),
        ]),
        query(results.length, sql.results, [
          hexArray(results.map((result) => result.messageId)),
          hexArray(results.map((result) => result.verifierSourceAddress)),
          hexArray(results.map((result) => result.verifierDestAddress)),
        ]),
        query(touched.withResults.length, sql.resultsOf, [hexArray(touched.withResults)]),
        query(sourceIds.length, sql.cursors, [textArray(sourceIds)]),
        query(quarantine.length, sql.quarantine, [hexArray(quarantine)]),
      ]);
      const state: WriteState = {
        bodies: new Map(),
        messages: new Map(),
        results: new Map(),
        cursors: new Map(cursors.map((row) => [toText(row[0]), decodeCursorState(row)])),
        quarantine: new Set(entries.map((row) => toHex(row[0]))),
        incomplete: new Set(),
      };
      for (const row of ids) takeMessage(row, state);
      takeGivenResults(duplicates, state);
      takeResults(siblings, state);
      const orphaned = [...state.messages.values()].filter((message) => message.orphaned).map((m) => m.messageId);
      await readResultsOf(transaction, orphaned, state);
      return { clock, state };
    },
    async readBodies(transaction, ids, state) {
      if (ids.length === 0) return;
      for (const row of await transaction.query(sql.bodies, [hexArray(ids)])) {
        const body = state.bodies.get(toHex(row[0]));
        if (body) body.content = unpackBody(toBytes(row[1]));
      }
    },
    async readConflicts(transaction, identities) {
      const rows = await transaction.query(sql.conflicts, [hexArray(identities)]);
      return new Set(rows.map((row) => toHex(row[0])));
    },
  };
}

function createStatements(namespace: Namespace) {
  const statement = statementsOf(namespace);
  return {
    lock: statement('lock_clock', `SELECT ${CLOCK_COLUMNS} FROM @ingest_clock c FOR UPDATE`),
    messages: statement(
      'state_messages',
      `SELECT k.message_id, coalesce(b.first_ms, p.first_ms), coalesce(b.body_hash, p.body_hash),
         CASE WHEN k.with_body = 1 THEN b.body END, m.status, m.orphaned, m.ingestion_ms, m.block_number, m.block_hash,
         m.block_timestamp_ms, m.transaction_hash, m.log_index, b.message_id IS NOT NULL, p.message_id IS NOT NULL,
         p.status, p.orphaned, p.origin_hash
       FROM unnest($1::bytea[], $2::bigint[]) k (message_id, with_body)
       LEFT JOIN @message_bodies b ON b.message_id = k.message_id
       LEFT JOIN @pruned_ids p ON p.message_id = k.message_id
       LEFT JOIN @messages m ON m.message_id = b.message_id
       WHERE b.message_id IS NOT NULL OR p.message_id IS NOT NULL`,
    ),
    results: statement(
      'state_results',
      `SELECT k.message_id, k.verifier_source, k.verifier_dest, r.ccv_data, r.attestation_ms, r.verifier_name, r.orphaned,
         r.ingestion_ms, r.message_id IS NOT NULL, p.ccv_hash
       FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]) k (message_id, verifier_source, verifier_dest)
       LEFT JOIN @verifier_results r ON r.message_id = k.message_id AND r.verifier_source = k.verifier_source
         AND r.verifier_dest = k.verifier_dest
       LEFT JOIN @pruned_results p ON p.identity = ${prunedIdentity('k')}
       WHERE r.message_id IS NOT NULL OR p.identity IS NOT NULL`,
    ),
    resultsOf: statement(
      'state_results_of',
      `SELECT ${RESULT_STATE} FROM unnest($1::bytea[]) k (message_id)
       JOIN @verifier_results r ON r.message_id = k.message_id`,
    ),
    cursors: statement(
      'state_cursors',
      'SELECT s.source_id, s.height, s.hash FROM @source_cursors s WHERE s.source_id = ANY ($1::text[])',
    ),
    quarantine: statement(
      'state_quarantine',
      'SELECT q.identity FROM @quarantine q WHERE q.identity = ANY ($1::bytea[])',
    ),
    bodies: statement(
      'state_bodies',
      'SELECT b.message_id, b.body FROM @message_bodies b WHERE b.message_id = ANY ($1::bytea[])',
    ),
    conflicts: statement('state_conflicts', 'SELECT k.identity FROM @conflicts k WHERE k.identity = ANY ($1::bytea[])'),
  };
}

function takeMessage(row: Row, state: WriteState): void {
  const messageId = toHex(row[0]);
  const body: BodyState = {
    firstMs: toNumber(row[1]),
    hash: toHex(row[2]),
    content: row[3] == null ? null : unpackBody(toBytes(row[3])),
    stored: toBoolean(row[12]),
  };
  state.bodies.set(messageId, body);
  if (toBoolean(row[13])) state.incomplete.add(messageId);
  const common = { messageId, stored: true };
  if (row[4] != null)
    state.messages.set(messageId, {
      ...common,
      status: decodeStatus(toNumber(row[4])),
      orphaned: toBoolean(row[5]),
      ingestionMs: toNumber(row[6]),
      origin: decodeOrigin(row, 7),
      pruned: null,
    });
  else if (row[14] != null)
    state.messages.set(messageId, {
      ...common,
      status: decodeStatus(toNumber(row[14])),
      orphaned: toBoolean(row[15]),
      ingestionMs: null,
      origin: null,
      pruned: { originHash: toHexOrNull(row[16]) },
    });
  // else no message: only verifier results of it are stored
}

/** Those that a batch gives again; of what was pruned only a hash is left. */
function takeGivenResults(rows: readonly Row[], state: WriteState): void {
  takeResults(
    rows.filter((row) => toBoolean(row[8])),
    state,
  );
  for (const row of rows) {
    if (toBoolean(row[8])) continue;
    const identity = {
      messageId: toHex(row[0]),
      verifierSourceAddress: toHex(row[1]),
      verifierDestAddress: toHex(row[2]),
    };
    state.results.set(resultIdentity(identity), {
      stored: true,
      result: { ...identity, ccvData: new Uint8Array(0), attestationMs: 0, verifierName: '' },
      orphaned: false,
      ingestionMs: null,
      prunedCcvHash: toHex(row[9]),
    });
  }
}

function takeResults(rows: readonly Row[], state: WriteState): void {
  for (const row of rows) {
    const result: ResultState['result'] = {
      messageId: toHex(row[0]),
      verifierSourceAddress: toHex(row[1]),
      verifierDestAddress: toHex(row[2]),
      ccvData: toBytes(row[3]),
      attestationMs: toNumber(row[4]),
      verifierName: toText(row[5]),
    };
    const key = resultIdentity(result);
    if (state.results.has(key)) continue;
    const orphaned = toBoolean(row[6]);
    state.results.set(key, { stored: true, result, orphaned, ingestionMs: toNumber(row[7]), prunedCcvHash: null });
  }
}

function decodeCursorState(row: Row) {
  return { sourceId: toText(row[0]), height: toBigint(row[1]), hash: toHexOrNull(row[2]) };
}
