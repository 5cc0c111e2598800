import type { Hex } from '../../core/hex.js';
import type { Random } from '../../core/random.js';
import type { Change } from '../../model/batch.js';
import { heldBy, heldDifferently, overlap } from './held-records.js';
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
 * Compares the records of message ids at random places of the history, as either side tells them, by `heldDifferently`.
 * Both may be written to meanwhile.
 */
export async function sampleAgreement(
  leader: LoneBackend,
  follower: LoneBackend,
  { random, signal }: { readonly random: Random; readonly signal: AbortSignal },
): Promise<SampledAgreement> {
  const { afterPosition, throughPosition } = overlap([leader.coverage(), follower.coverage()]);
  const span = throughPosition - afterPosition;
  // the end of the history, and random places in it
  const places = Array.from({ length: PLACES }, (_, place) => {
    const back = place === 0 ? BigInt(CHANGES) : BigInt(Math.floor(random() * Number(span + 1n)));
    return throughPosition - (back > span ? span : back);
  });
  const ids = new Set<Hex>();
  for (const place of places)
    for (const side of [leader, follower])
      if (!signal.aborted)
        for (const change of (await side.changesAfter(place, CHANGES)).changes) {
          const id = messageIdOf(change);
          if (id !== null) ids.add(id);
        }
  const differing: string[] = [];
  for (const messageId of ids) {
    if (signal.aborted) break;
    // the follower first: the leader then knows of every later change
    const theirs = await heldBy(follower, messageId);
    const [what] = heldDifferently(await heldBy(leader, messageId), theirs);
    if (what !== undefined) differing.push(`${messageId}: ${what}`);
  }
  return { compared: ids.size, differing: differing.length, examples: differing.slice(0, EXAMPLES) };
}

function messageIdOf({ kind, record }: Change): Hex | null {
  return kind === 'message' || kind === 'verifierResult' ? record.messageId : null;
}
