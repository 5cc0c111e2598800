import { type Hex, hexToBytes } from '../../../core/hex.js';
import type { Conflict, QuarantineEntry } from '../../../model/records.js';
import { toBigint, toHex, toNumber, toText } from '../rows/columns.js';
import { CONFLICT_COLUMNS, decodeConflict } from '../rows/record-rows.js';
import type { Diagnosis } from './diagnose.js';

/** A verifier result that a replay replaced, without its bytes. */
export interface ReplacedResult {
  readonly replay: bigint;
  readonly verifierSourceAddress: Hex;
  readonly verifierName: string;
  readonly replacedMs: number;
  readonly storedHash: Hex;
  readonly receivedHash: Hex;
}

/** The entries of a namespace about one message, beside its records. */
export interface Remarks {
  readonly conflicts: readonly (Conflict & { readonly ingestionMs: number })[];
  readonly quarantine: readonly (Omit<QuarantineEntry, 'raw'> & { readonly ingestionMs: number })[];
  readonly replacements: readonly ReplacedResult[];
  /** Some of its records were pruned: the cold tier has them. */
  readonly isPruned: boolean;
}

/** Most entries of each kind. */
const MOST = 1_000;

/** Reads the entries about one message. */
export async function remarksAbout({ ask }: Diagnosis, messageId: Hex): Promise<Remarks> {
  const id = [Buffer.from(hexToBytes(messageId))];
  const conflicts = await ask(
    'read its conflicts',
    `SELECT ${CONFLICT_COLUMNS} FROM @conflicts k WHERE k.message_id = $1::bytea ORDER BY k.position LIMIT ${MOST}`,
    id,
  );
  const quarantine = await ask(
    'read its quarantine',
    `SELECT q.source_id, q.key, q.reason, q.detail, q.ingestion_ms FROM @quarantine q
     WHERE q.message_id = $1::bytea ORDER BY q.position LIMIT ${MOST}`,
    id,
  );
  const replaced = await ask(
    'read its replacements',
    `SELECT r.replay, r.verifier_source, r.verifier_name, r.replaced_ms, r.stored_hash, r.received_hash
     FROM @replacements r WHERE r.message_id = $1::bytea ORDER BY r.id LIMIT ${MOST}`,
    id,
  );
  const pruned = await ask('look for a trace', 'SELECT FROM @pruned_ids p WHERE p.message_id = $1::bytea', id);
  return {
    conflicts: conflicts.map((row) => decodeConflict(row, 0)),
    quarantine: quarantine.map((row) => ({
      sourceId: toText(row[0]),
      key: toText(row[1]),
      reason: toText(row[2]),
      detail: toText(row[3]),
      messageId,
      ingestionMs: toNumber(row[4]),
    })),
    replacements: replaced.map((row) => ({
      replay: toBigint(row[0]),
      verifierSourceAddress: toHex(row[1]),
      verifierName: toText(row[2]),
      replacedMs: toNumber(row[3]),
      storedHash: toHex(row[4]),
      receivedHash: toHex(row[5]),
    })),
    isPruned: pruned.length > 0,
  };
}
