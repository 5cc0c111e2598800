import type { Hex } from '../../../core/hex.js';
import type { Lease } from '../../../model/batch.js';
import type { KnownMessage, KnownResult, Lacking } from '../../../model/commit/known.js';
import { conflictIdentity, executionIdentity, resultIdentity } from '../../../model/identity.js';
import { type ClockRow, decodeClock, lockClock } from '../clock/clock-row.js';
import type { Namespace } from '../connection/namespace.js';
import type { SessionLimits } from '../connection/session.js';
import { type Row, statementsOf } from '../connection/statement.js';
import type { Transaction } from '../connection/transaction.js';
import { bigintArray, hexArray, textArray } from '../rows/binary-arrays.js';
import { toBigint, toBoolean, toBytes, toHex, toHexOrNull, toNumber, toText } from '../rows/columns.js';
import { decodeExecution, EXECUTION_COLUMNS } from '../rows/execution-rows.js';
import { hashIdentity } from '../rows/identity-hash.js';
import { unpackBody } from '../rows/message-body.js';
import { prunedIdentity } from '../rows/pruned-hashes.js';
import { decodeOrigin, decodeStatus, decodeVerdict } from '../rows/record-rows.js';
import { createLoadedState, type LoadedState, type Touched } from './loaded-state.js';

/** Reads, under the clock lock, the stored state that a group of batches touches. */
export interface StateReader {
  /** Takes the clock lock. Every other writer waits for the end of this transaction. */
  lock(transaction: Transaction): Promise<ClockRow>;
  /** Takes the clock lock and reads the parts that the batches touch, in one round trip unless messages return. */
  lockAndRead(transaction: Transaction, touched: Touched): Promise<{ clock: ClockRow; state: LoadedState }>;
  /** Loads the bodies and conflicts that a plan lacks. */
  readLacking(transaction: Transaction, lacking: Lacking, state: LoadedState): Promise<void>;
}

const RESULT_STATE = `r.message_id, r.verifier_source, r.verifier_dest, r.ccv_data, r.attestation_ms, r.verifier_name,
  r.orphaned, r.ingestion_ms, r.verdict, r.verdict_block`;

export function createStateReader(namespace: Namespace, limits: SessionLimits): StateReader {
  const sql = createStatements(namespace, limits);

  async function lock(transaction: Transaction): Promise<ClockRow> {
    const [row] = await transaction.query(sql.lock);
    return decodeClock(row ?? []);
  }

  async function readBodies(transaction: Transaction, ids: ReadonlySet<Hex>, state: LoadedState): Promise<void> {
    if (ids.size === 0) return;
    for (const row of await transaction.query(sql.bodies, [hexArray([...ids])])) {
      const id = state.ids.get(toHex(row[0]));
      if (id) id.body = unpackBody(toBytes(row[1]));
    }
  }

  async function readConflicts(
    transaction: Transaction,
    conflicts: Lacking['conflicts'],
    state: LoadedState,
  ): Promise<void> {
    if (conflicts.length === 0) return;
    const identities = conflicts.map(conflictIdentity);
    const rows = await transaction.query(sql.conflicts, [hexArray(identities.map(hashIdentity))]);
    const recorded = new Set(rows.map((row) => toHex(row[0])));
    for (const identity of identities) state.conflicts.set(identity, recorded.has(hashIdentity(identity)));
  }

  return {
    lock,
    async lockAndRead(transaction, touched) {
      const { messageIds, withBody, results, logs, sourceIds, leased, quarantine } = touched;
      const query = async (wanted: number, ...call: Parameters<Transaction['query']>) =>
        wanted === 0 ? [] : await transaction.query(...call);
      // sent one behind the other, so answered after the lock is held, each with a snapshot of its own
      const [clock, ids, given, siblings, executions, cursors, leases, entries] = await Promise.all([
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
        query(logs.length, sql.executions, [
          hexArray(logs.map((log) => log.messageId)),
          hexArray(logs.map((log) => log.blockHash)),
          bigintArray(logs.map((log) => log.logIndex)),
        ]),
        query(sourceIds.length, sql.cursors, [textArray(sourceIds)]),
        query(leased.length, sql.leases, [textArray(leased)]),
        query(quarantine.length, sql.quarantine, [hexArray(quarantine)]),
      ]);
      const state = createLoadedState();
      for (const row of ids) takeMessage(row, state);
      for (const row of executions) {
        const execution = decodeExecution(row, 0);
        state.executions.set(executionIdentity(execution), execution);
      }
      for (const row of cursors) state.cursors.set(toText(row[0]), decodeCursorState(row));
      for (const row of leases) state.leases.set(toText(row[0]), decodeLeaseState(row));
      for (const row of entries) state.quarantine.add(toHex(row[0]));
      const orphaned = [...state.ids].flatMap(([messageId, { message }]) => (message?.orphaned ? [messageId] : []));
      const returning = await query(orphaned.length, sql.resultsOf, [hexArray(orphaned)]);
      takeResults([...given.map(decodeGivenResult), ...[...siblings, ...returning].map(decodeResultState)], state);
      return { clock, state };
    },
    async readLacking(transaction, { bodies, conflicts }, state) {
      await Promise.all([readBodies(transaction, bodies, state), readConflicts(transaction, conflicts, state)]);
    },
  };
}

/** Rows with records' contents. */
const BINARY = { binary: true };

function createStatements(namespace: Namespace, limits: SessionLimits) {
  const statement = statementsOf(namespace);
  return {
    lock: statement('lock_clock', lockClock(limits)),
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
      BINARY,
    ),
    results: statement(
      'state_results',
      `SELECT k.message_id, k.verifier_source, k.verifier_dest, r.ccv_data, r.attestation_ms, r.verifier_name,
         r.orphaned, r.ingestion_ms, r.verdict, r.verdict_block, r.message_id IS NOT NULL, p.ccv_hash
       FROM unnest($1::bytea[], $2::bytea[], $3::bytea[]) k (message_id, verifier_source, verifier_dest)
       LEFT JOIN @verifier_results r ON r.message_id = k.message_id AND r.verifier_source = k.verifier_source
         AND r.verifier_dest = k.verifier_dest
       LEFT JOIN @pruned_results p ON p.identity = ${prunedIdentity('k')}
       WHERE r.message_id IS NOT NULL OR p.identity IS NOT NULL`,
      BINARY,
    ),
    resultsOf: statement(
      'state_results_of',
      `SELECT ${RESULT_STATE} FROM unnest($1::bytea[]) k (message_id)
       JOIN @verifier_results r ON r.message_id = k.message_id`,
      BINARY,
    ),
    executions: statement(
      'state_executions',
      `SELECT ${EXECUTION_COLUMNS}
       FROM unnest($1::bytea[], $2::bytea[], $3::bigint[]) k (message_id, block_hash, log_index)
       JOIN @executions x ON x.message_id = k.message_id AND x.block_hash = k.block_hash AND x.log_index = k.log_index`,
      BINARY,
    ),
    cursors: statement(
      'state_cursors',
      'SELECT s.source_id, s.height, s.hash FROM @source_cursors s WHERE s.source_id = ANY ($1::text[])',
    ),
    leases: statement(
      'state_leases',
      'SELECT l.source, l.owner, l.epoch FROM @leases l WHERE l.source = ANY ($1::text[]) AND l.owner IS NOT NULL',
    ),
    quarantine: statement(
      'state_quarantine',
      'SELECT q.identity FROM @quarantine q WHERE q.identity = ANY ($1::bytea[])',
    ),
    bodies: statement(
      'state_bodies',
      'SELECT b.message_id, b.body FROM @message_bodies b WHERE b.message_id = ANY ($1::bytea[])',
      BINARY,
    ),
    conflicts: statement('state_conflicts', 'SELECT k.identity FROM @conflicts k WHERE k.identity = ANY ($1::bytea[])'),
  };
}

function takeMessage(row: Row, state: LoadedState): void {
  const isBodyPruned = !toBoolean(row[12]);
  state.ids.set(toHex(row[0]), {
    firstMs: toNumber(row[1]),
    bodyHash: toHex(row[2]),
    body: row[3] == null ? null : unpackBody(toBytes(row[3])),
    isBodyPruned,
    isPruned: toBoolean(row[13]),
    message: decodeMessageState(row),
    results: [],
  });
}

/** Undefined: only verifier results of the id are stored. */
function decodeMessageState(row: Row): KnownMessage | undefined {
  if (row[4] != null)
    return {
      status: decodeStatus(toNumber(row[4])),
      orphaned: toBoolean(row[5]),
      ingestionMs: toNumber(row[6]),
      origin: decodeOrigin(row, 7),
    };
  if (row[14] == null) return undefined;
  return {
    status: decodeStatus(toNumber(row[14])),
    orphaned: toBoolean(row[15]),
    prunedOrigin: toHexOrNull(row[16]),
  };
}

/** The results by id, each once. */
function takeResults(results: readonly KnownResult[], state: LoadedState): void {
  const taken = new Set<string>();
  for (const result of results) {
    const identity = resultIdentity(result);
    if (taken.has(identity)) continue;
    taken.add(identity);
    state.ids.get(result.messageId)?.results.push(result);
  }
}

/** A result that a batch gives again; a pruned one is a hash. */
function decodeGivenResult(row: Row): KnownResult {
  if (toBoolean(row[10])) return decodeResultState(row);
  return {
    messageId: toHex(row[0]),
    verifierSourceAddress: toHex(row[1]),
    verifierDestAddress: toHex(row[2]),
    ccvData: new Uint8Array(0),
    attestationMs: 0,
    verifierName: '',
    orphaned: false,
    ingestionMs: 0,
    prunedCcv: toHex(row[11]),
  };
}

function decodeResultState(row: Row): KnownResult {
  return {
    messageId: toHex(row[0]),
    verifierSourceAddress: toHex(row[1]),
    verifierDestAddress: toHex(row[2]),
    ccvData: toBytes(row[3]),
    attestationMs: toNumber(row[4]),
    verifierName: toText(row[5]),
    orphaned: toBoolean(row[6]),
    ingestionMs: toNumber(row[7]),
    verdict: decodeVerdict(row, 8),
  };
}

function decodeCursorState(row: Row) {
  return { sourceId: toText(row[0]), height: toBigint(row[1]), hash: toHexOrNull(row[2]) };
}

function decodeLeaseState(row: Row): Lease {
  return { source: toText(row[0]), owner: toText(row[1]), epoch: toBigint(row[2]) };
}
