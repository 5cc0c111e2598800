import type { Hex } from '../../core/hex.js';
import type { Random } from '../../core/random.js';
import { hashOfRecord } from '../../migration/parity/record-hash.js';
import type { Change } from '../../model/batch.js';
import { changedRecord } from '../../model/identity.js';
import type { LoneBackend } from './record.js';

/** Places in the history at which changes are compared, and the changes of each. */
const PLACES = 8;
const CHANGES = 40;
const EXAMPLES = 5;

/** Message ids whose records were compared, and those of which the two hold other bytes. */
export interface SampledAgreement {
  readonly compared: number;
  readonly differing: number;
  /** The first of them. */
  readonly examples: readonly string[];
}

/**
 * Compares the records of message ids at random places of the history, as either side tells them, by what both hold of
 * the id. Both may be written to meanwhile: a record counts while the position of its last change is one that both
 * answer for, and then both must have it alike.
 */
export async function sampleAgreement(
  leader: LoneBackend,
  follower: LoneBackend,
  { random, signal }: { readonly random: Random; readonly signal: AbortSignal },
): Promise<SampledAgreement> {
  const { afterPosition: after, throughPosition: through } = overlap([leader.coverage(), follower.coverage()]);
  const ids = new Set<Hex>();
  // the end of the history and random places in it
  const span = through - after;
  const places = Array.from({ length: PLACES }, (_, place) => {
    const back = place === 0 ? BigInt(CHANGES) : BigInt(Math.floor(random() * Number(span + 1n)));
    return through - (back > span ? span : back);
  });
  for (const place of places)
    for (const side of [leader, follower]) {
      if (signal.aborted) break;
      for (const change of (await side.changesAfter(place, CHANGES)).changes) {
        const id = messageIdOf(change);
        if (id !== null) ids.add(id);
      }
    }
  const differing: string[] = [];
  for (const messageId of ids) {
    if (signal.aborted) break;
    const what = await differenceOf(messageId, leader, follower);
    if (what !== null) differing.push(`${messageId}: ${what}`);
  }
  return { compared: ids.size, differing: differing.length, examples: differing.slice(0, EXAMPLES) };
}

function messageIdOf({ kind, record }: Change): Hex | null {
  return kind === 'message' || kind === 'verifierResult' ? record.messageId : null;
}

/** Positions above the one and up to the other. */
interface Positions {
  readonly afterPosition: bigint;
  readonly throughPosition: bigint;
}

/** The records of one id that a backend holds, with the positions for which it answers. */
interface HeldRecords extends Positions {
  readonly records: ReadonlyMap<string, Change>;
}

/** The positions that are in all of these. */
function overlap(all: readonly [Positions, ...Positions[]]): Positions {
  let [{ afterPosition, throughPosition }] = all;
  for (const each of all) {
    if (each.afterPosition > afterPosition) afterPosition = each.afterPosition;
    if (each.throughPosition < throughPosition) throughPosition = each.throughPosition;
  }
  return { afterPosition, throughPosition };
}

async function heldBy(backend: LoneBackend, messageId: Hex): Promise<HeldRecords> {
  const [message, results] = await Promise.all([backend.heldMessage(messageId), backend.heldCCVData(messageId)]);
  const changes: Change[] = results.value.map((record) => {
    return { kind: 'verifierResult', position: record.position, record };
  });
  const { value } = message;
  if (value) changes.push({ kind: 'message', position: value.position, record: value });
  return {
    records: new Map(changes.map((change) => [changedRecord(change), change])),
    ...overlap([message, results]),
  };
}

/** The first record of an id that the two hold differently, in words; null: there is none. */
async function differenceOf(messageId: Hex, leader: LoneBackend, follower: LoneBackend): Promise<string | null> {
  // the follower first: the leader then knows of every later change
  const theirs = await heldBy(follower, messageId);
  const ours = await heldBy(leader, messageId);
  const { afterPosition: after, throughPosition: through } = overlap([ours, theirs]);
  const isSettled = (change: Change | undefined) =>
    change === undefined || (change.position > after && change.position <= through);
  for (const key of new Set([...ours.records.keys(), ...theirs.records.keys()])) {
    const [mine, other] = [ours.records.get(key), theirs.records.get(key)];
    if (!isSettled(mine) || !isSettled(other)) continue;
    const kind = (mine ?? other)?.kind === 'message' ? 'the message' : 'a verifier result';
    if (!mine) return `${kind} is only in ${follower.name}`;
    if (!other) return `${kind} is only in ${leader.name}`;
    if (!hashOfRecord(mine).equals(hashOfRecord(other))) return `${kind} differs`;
  }
  return null;
}
