import type { Config } from '../../config/schema/schema.js';
import type { Common } from '../../core/common.js';
import { AbortedError, toError } from '../../core/errors.js';
import { lookOf, type MoveEnds, type MoveView, viewMove } from '../../migration/move-ends.js';
import { leadingSide } from '../../migration/move-state.js';
import type { MoveProcess } from '../../storage/move-store.js';
import { configIn } from '../move/roles.js';

/** The longest wait for the two databases of a move. */
const LIMIT_MS = 10_000;

/** The move of `[Migration]` as its databases have it, or why that is not known. */
export type PresentMove =
  | { readonly view: MoveView; readonly processes: readonly MoveProcess[] }
  | { readonly error: Error };

/** The configuration by which processes work now, and the move that they follow; null: none is configured. */
export interface Present {
  readonly config: Config;
  readonly move: PresentMove | null;
}

/**
 * Asks the two databases of `[Migration]`, where there is one, which of them leads. Where neither answers the old one
 * is taken for the leader.
 * @throws AbortedError when `signal` aborts.
 */
export async function presentOf(config: Config, common: Common, signal: AbortSignal): Promise<Present> {
  // a move from a Go indexer has one database of ours
  if (config.Migration?.From === undefined) return { config, move: null };
  const { openEnds } = await import('../move/ends.js');
  const ends = openEnds(config, common);
  const asked = new AbortController();
  const limit = common.clock.sleep(LIMIT_MS, AbortSignal.any([signal, asked.signal])).then(() => {
    throw new Error(`neither database answered within ${LIMIT_MS} ms`);
  });
  try {
    const move = await Promise.race([look(ends), limit]);
    return { config: configIn(config, move.view.state), move };
  } catch (thrown) {
    if (signal.aborted) throw new AbortedError('looking at the move', { cause: thrown });
    return { config: configIn(config, null), move: { error: toError(thrown) } };
  } finally {
    asked.abort();
    await Promise.all([ends.from.storage.close(), ends.to.storage.close()]);
  }
}

async function look(ends: MoveEnds): Promise<Extract<PresentMove, { readonly view: MoveView }>> {
  const view = await viewMove(ends);
  const side = view.state ? leadingSide(view.state) : 'from';
  return { view, processes: view.state && lookOf(view[side]) ? await ends[side].moves.processes() : [] };
}
