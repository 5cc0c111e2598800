import { type Hex, hexToBytes } from '../../../core/hex.js';
import { checkId } from '../../../model/check-batch.js';
import type { HeldMessage, HeldResults } from '../../../model/held.js';
import { checkLimit, type KeyedPage, type UnfinishedQuery } from '../../../model/list-query.js';
import { messageOrderKey } from '../../../model/order.js';
import { MAX_PAGE_BYTES, partOfResults, type ResultsPart, wholeOnes } from '../../../model/outlines.js';
import type { StoredMessage, StoredVerifierResult } from '../../../model/records.js';
import { CCVDataNotFoundError, MessageNotFoundError } from '../../../model/storage-errors.js';
import {
  asOf,
  CLOCK,
  CLOCK_COLUMNS,
  CLOCK_WIDTH,
  type ClockRow,
  checkMessageId,
  checkWhole,
  decodeClock,
} from '../clock/clock-row.js';
import type { Namespace } from '../connection/namespace.js';
import { statementsOf } from '../connection/statement.js';
import { fromSelector, toBoolean, toBytes } from '../rows/columns.js';
import { unpackBody } from '../rows/message-body.js';
import { boundedColumns, decodeMessage, decodeResult, MESSAGE_COLUMNS, RESULT_COLUMNS } from '../rows/record-rows.js';
import { createLookups, type IdRows, IS_PRUNED, LABELS, type LookupKind, RECORD } from './lookups.js';
import type { ReadContext } from './read-context.js';

/** Databases count blocks no further. */
export const MAX_BLOCK = 2n ** 63n - 1n;

/** Reads by message id, and of unfinished messages. */
export interface MessageReads {
  getCCVData(messageId: Hex, part?: ResultsPart): Promise<readonly StoredVerifierResult[]>;
  getMessage(messageId: Hex): Promise<StoredMessage>;
  heldCCVData(messageId: Hex, part?: ResultsPart): Promise<HeldResults>;
  heldMessage(messageId: Hex): Promise<HeldMessage>;
  unfinished(query: UnfinishedQuery): Promise<KeyedPage<StoredMessage>>;
  aboveBlock(sourceChainSelector: bigint, afterBlock: bigint, throughBlock?: bigint): Promise<readonly StoredMessage[]>;
}

const FIRST_BODY = 'CASE WHEN row_number() OVER (ORDER BY r.verifier_source, r.verifier_dest) = 1 THEN b.body END';
const IS_ID_PRUNED = 'EXISTS (SELECT FROM @pruned_ids p WHERE p.message_id = $1::bytea)';

export function createMessageReads(namespace: Namespace, context: ReadContext): MessageReads {
  const { read, hub, name } = context;
  const sql = createStatements(namespace);
  const lookups = createLookups(namespace, context);

  /** The records of an id: with those of other ids that are asked for at once, or by itself where they are large. */
  async function rowsOf(kind: LookupKind, messageId: Hex, part?: ResultsPart): Promise<IdRows> {
    checkId(messageId, 'messageId');
    const shared = await lookups[kind](messageId);
    if (shared.isWhole) return shared;
    const statement = kind === 'message' ? sql.message : sql[resultsStatement(part)];
    const values = [toBuffer(messageId), ...partValues(part)];
    const rows = await read(LABELS[kind], { statement, values });
    const clock = decodeClock(rows[0] ?? []);
    hub.seen(clock);
    const found = rows.filter((row) => row[RECORD] !== null);
    return { rows: found, clock, isPruned: toBoolean(rows[0]?.[IS_PRUNED]), isWhole: false };
  }

  /** Reads an id's rows and checks that the store is complete for it. */
  async function byId(kind: LookupKind, messageId: Hex, part?: ResultsPart): Promise<IdRows> {
    const found = await rowsOf(kind, messageId, part);
    checkMessageId(found.clock, messageId, found.isPruned, name);
    return found;
  }

  /** The last change of a pruned record is at or below the floor. */
  function rangeOf(clock: ClockRow, isPruned: boolean) {
    checkWhole(clock, name);
    return { afterPosition: isPruned ? clock.floorPosition : 0n, throughPosition: clock.lastPosition };
  }

  return {
    async getCCVData(messageId, part) {
      const found = await byId('results', messageId, part);
      if (found.rows.length === 0) throw new CCVDataNotFoundError(messageId);
      return decodeResults(found, part);
    },
    async getMessage(messageId) {
      const [row] = (await byId('message', messageId)).rows;
      if (!row) throw new MessageNotFoundError(messageId);
      return decodeMessage(row, RECORD);
    },
    async heldCCVData(messageId, part) {
      const found = await rowsOf('results', messageId, part);
      return { value: decodeResults(found, part), ...rangeOf(found.clock, found.isPruned) };
    },
    async heldMessage(messageId) {
      const { rows, clock, isPruned } = await rowsOf('message', messageId);
      return { value: rows[0] ? decodeMessage(rows[0], RECORD) : null, ...rangeOf(clock, isPruned) };
    },
    async unfinished({ limit, after, order = 'oldest' }) {
      checkLimit(limit);
      const rows = await read('query unfinished messages', {
        statement: sql.unfinished[order],
        values: [
          after?.ingestionMs ?? (order === 'oldest' ? -1 : Number.MAX_SAFE_INTEGER),
          Buffer.from(hexToBytes(after?.messageId ?? '0x')),
          limit + 1,
        ],
      });
      const clock = decodeClock(rows[0] ?? []);
      hub.seen(clock);
      checkWhole(clock, name);
      const found = rows.filter((row) => row[CLOCK_WIDTH] !== null);
      const items = wholeOnes(found.slice(0, limit).map((row) => decodeMessage(row, CLOCK_WIDTH)));
      const last = items.at(-1);
      const next = found.length > items.length && last ? messageOrderKey(last) : null;
      return { items, next, asOf: asOf(clock) };
    },
    async aboveBlock(sourceChainSelector, afterBlock, throughBlock = MAX_BLOCK) {
      const rows = await read('query messages above a block', {
        statement: sql.aboveBlock,
        values: [fromSelector(sourceChainSelector), afterBlock, throughBlock],
      });
      const clock = decodeClock(rows[0] ?? []);
      hub.seen(clock);
      checkWhole(clock, name);
      return rows.filter((row) => row[CLOCK_WIDTH] !== null).map((row) => decodeMessage(row, CLOCK_WIDTH));
    },
  };
}

function resultsStatement(part: ResultsPart | undefined) {
  if (part === undefined) return 'results';
  return 'maxBytes' in part ? 'boundedResults' : 'oneResult';
}

function partValues(part: ResultsPart | undefined) {
  if (part === undefined) return [];
  return 'maxBytes' in part
    ? [part.maxBytes]
    : [toBuffer(part.verifierSourceAddress), toBuffer(part.verifierDestAddress)];
}

function toBuffer(hex: Hex): Buffer {
  return Buffer.from(hexToBytes(hex));
}

/** The rows of one id, which have one body. Rows of a lookup by itself are those of the part already. */
function decodeResults({ rows, isWhole }: IdRows, part: ResultsPart | undefined): readonly StoredVerifierResult[] {
  const [first] = rows;
  if (!first) return [];
  const body = unpackBody(toBytes(first[RECORD + 10]));
  const results = rows.map((row) => decodeResult(row, RECORD, body));
  return isWhole ? partOfResults(results, part) : results;
}

const BINARY = { binary: true };

function createStatements(namespace: Namespace) {
  const statement = statementsOf(namespace);
  return {
    results: statement(
      'get_results',
      `SELECT ${CLOCK_COLUMNS}, ${IS_ID_PRUNED}, ${RESULT_COLUMNS}
       FROM ${CLOCK}
       LEFT JOIN @message_bodies b ON b.message_id = $1::bytea
       LEFT JOIN @verifier_results r ON r.message_id = b.message_id
       ORDER BY r.verifier_source, r.verifier_dest`,
      BINARY,
    ),
    // the body, which is the same in every row, is told by the first alone
    boundedResults: statement(
      'get_bounded_results',
      `SELECT ${CLOCK_COLUMNS}, ${IS_ID_PRUNED}, ${boundedColumns(RESULT_COLUMNS.replace('b.body', FIRST_BODY), {
        order: 'r.verifier_source, r.verifier_dest',
        maxBytes: '$2::bigint',
      })}
       FROM ${CLOCK}
       LEFT JOIN @message_bodies b ON b.message_id = $1::bytea
       LEFT JOIN @verifier_results r ON r.message_id = b.message_id
       ORDER BY r.verifier_source, r.verifier_dest`,
      BINARY,
    ),
    oneResult: statement(
      'get_one_result',
      `SELECT ${CLOCK_COLUMNS}, ${IS_ID_PRUNED}, ${RESULT_COLUMNS}
       FROM ${CLOCK}
       LEFT JOIN @message_bodies b ON b.message_id = $1::bytea
       LEFT JOIN @verifier_results r
         ON r.message_id = b.message_id AND r.verifier_source = $2::bytea AND r.verifier_dest = $3::bytea`,
      BINARY,
    ),
    message: statement(
      'get_message',
      `SELECT ${CLOCK_COLUMNS}, ${IS_ID_PRUNED}, ${MESSAGE_COLUMNS}
       FROM ${CLOCK}
       LEFT JOIN @message_bodies b ON b.message_id = $1::bytea
       LEFT JOIN @messages m ON m.message_id = b.message_id`,
      BINARY,
    ),
    unfinished: {
      oldest: statement('unfinished', unfinishedText('>', 'ASC'), BINARY),
      newest: statement('unfinished_newest', unfinishedText('<', 'DESC'), BINARY),
    },
    aboveBlock: statement(
      'above_block',
      `SELECT ${CLOCK_COLUMNS}, ${MESSAGE_COLUMNS}
       FROM ${CLOCK}
       LEFT JOIN (
         @messages m JOIN @message_bodies b ON b.message_id = m.message_id
       ) ON m.source_chain = $1::bigint AND m.block_number > $2::bigint AND m.block_number <= $3::bigint
         AND NOT m.orphaned
       ORDER BY m.block_number, m.log_index, m.message_id`,
      BINARY,
    ),
  };
}

function unfinishedText(behind: '>' | '<', direction: 'ASC' | 'DESC'): string {
  const order = (of: string) => `${of}.ingestion_ms ${direction}, ${of}.message_id ${direction}`;
  const columns = boundedColumns(MESSAGE_COLUMNS, { order: order('m'), maxBytes: String(MAX_PAGE_BYTES) });
  return `SELECT ${CLOCK_COLUMNS}, ${columns}
    FROM ${CLOCK}
    LEFT JOIN (
      (SELECT t.* FROM @messages t
       WHERE NOT t.orphaned AND t.status <> 1 AND (t.ingestion_ms, t.message_id) ${behind} ($1::bigint, $2::bytea)
       ORDER BY ${order('t')} LIMIT $3::bigint) m
      JOIN @message_bodies b ON b.message_id = m.message_id
    ) ON true
    ORDER BY ${order('m')}`;
}
