import type { Hex } from '../../../core/hex.js';
import { ByteReader } from '../../../protocol/byte-reader.js';
import { MessageDecodeError } from '../../../protocol/message-errors.js';
import type { Field } from '../connection/statement.js';
import { fromSelector, toBigint, toBytes, toNumber, toSelector } from '../rows/columns.js';
import { unpackBody } from '../rows/message-body.js';
import type { Diagnosis } from './diagnose.js';
import { ingestClock } from './ingest-clock.js';

/** Bytes of a body that hold the number of its message, unless it names very many CCVs. */
const BEGINNING_BYTES = 512;
const PAGE_MESSAGES = 2_000;
/** A message is stored after its block was made, by clocks that may differ so much. */
const FLOOR_MARGIN_MS = 60_000;

/** A message by its place in its lane and in its chain. */
export interface LanePlace {
  readonly destChainSelector: bigint;
  readonly onRampAddress: Hex;
  readonly messageNumber: bigint;
  /** Null: it was not read from the chain. */
  readonly blockNumber: bigint | null;
}

/** The source chains that any record was ever stored for. */
export async function sourceChains({ ask }: Diagnosis): Promise<readonly bigint[]> {
  const rows = await ask('list its lanes', 'SELECT DISTINCT l.source_chain FROM @lanes l ORDER BY 1');
  return rows.map((row) => toSelector(row[0]));
}

/**
 * The last `most` messages of a source chain that were read from it, against the order of the chain, without those that
 * a reorg removed. They go back to where the first message may be pruned.
 */
export async function* lastPlaces(diagnosis: Diagnosis, source: bigint, most: number): AsyncGenerator<LanePlace> {
  const { floorMs } = await ingestClock(diagnosis);
  let before: readonly [block: bigint, log: bigint] = [2n ** 63n - 1n, 0n];
  for (let read = 0; read < most; ) {
    const limit = Math.min(PAGE_MESSAGES, most - read);
    const rows = await diagnosis.ask(
      'read its lanes',
      `SELECT m.dest_chain, m.message_id, substring(b.body FROM 1 FOR ${BEGINNING_BYTES}), m.block_number, m.log_index,
         m.block_timestamp_ms
       FROM (SELECT t.* FROM @messages t WHERE NOT t.orphaned AND t.source_chain = $1::bigint
           AND (t.block_number, t.log_index) < ($2::bigint, $3::bigint)
         ORDER BY t.block_number DESC, t.log_index DESC LIMIT $4::bigint) m
       JOIN @message_bodies b ON b.message_id = m.message_id
       ORDER BY m.block_number DESC, m.log_index DESC`,
      [fromSelector(source), ...before, limit],
    );
    for (const row of rows) {
      // below, a message that is missing may have been pruned
      if (floorMs >= 0 && toNumber(row[5]) <= floorMs + FLOOR_MARGIN_MS) return;
      const place = await placeOf(diagnosis, row[1], row[2]);
      yield { ...place, destChainSelector: toSelector(row[0]), blockNumber: toBigint(row[3]) };
    }
    const last = rows.at(-1);
    if (!last || rows.length < limit) return;
    read += rows.length;
    before = [toBigint(last[3]), toBigint(last[4])];
  }
}

/** Messages of a source chain that were not read from it: at most `most`, in no order. */
export async function placesWithoutBlock(
  diagnosis: Diagnosis,
  source: bigint,
  most: number,
): Promise<readonly LanePlace[]> {
  const rows = await diagnosis.ask(
    'read messages without a block',
    `SELECT m.dest_chain, m.message_id, substring(b.body FROM 1 FOR ${BEGINNING_BYTES})
     FROM @messages m JOIN @message_bodies b ON b.message_id = m.message_id
     WHERE NOT m.orphaned AND m.source_chain = $1::bigint AND m.block_number IS NULL LIMIT $2::bigint`,
    [fromSelector(source), most],
  );
  const places: LanePlace[] = [];
  for (const row of rows)
    places.push({
      ...(await placeOf(diagnosis, row[1], row[2])),
      destChainSelector: toSelector(row[0]),
      blockNumber: null,
    });
  return places;
}

type InLane = Pick<LanePlace, 'onRampAddress' | 'messageNumber'>;

async function placeOf(
  { ask }: Diagnosis,
  messageId: Field | undefined,
  beginning: Field | undefined,
): Promise<InLane> {
  try {
    return inLane(toBytes(beginning));
  } catch (thrown) {
    if (!(thrown instanceof MessageDecodeError)) throw thrown;
    const [row = []] = await ask('read a body', 'SELECT b.body FROM @message_bodies b WHERE b.message_id = $1::bytea', [
      messageId,
    ]);
    return inLane(toBytes(row[0]));
  }
}

/** Number and OnRamp in the beginning of a message: `protocol/message-codec.ts` has the order of its fields. */
function inLane(body: Buffer): InLane {
  const reader = new ByteReader(unpackBody(body).encodedMessage);
  reader.version('version');
  reader.view('selectors', 16);
  const messageNumber = reader.u64('messageNumber');
  reader.view('gas limits, finality and hash', 44);
  return { messageNumber, onRampAddress: reader.hex8('onRampAddress') };
}
