import type { Config } from '../../config/schema/schema.js';
import type { Common } from '../../core/common.js';
import { toError } from '../../core/errors.js';
import { createRareWarning } from '../../core/rare-warning.js';
import { decodeState, leadingSide, type MoveState } from '../../migration/move-state.js';
import type { StorageUse } from '../backend-sections.js';
import { type OpenedSink, openSink } from '../open-sink.js';
import type { ColdBackend } from '../process-cold.js';
import { openNewEnd } from './ends.js';

/** Between two looks whether the new database leads. */
const LOOK_MS = 500;

/**
 * A Sink over the configured backends, once the move from the Go indexer's database is switched: until then the new
 * database is filled by the commands of the move, and holds too little to answer or to go on from.
 * @throws AbortedError when `signal` aborts before.
 */
export async function openAwaitedSink(
  config: Config,
  common: Common,
  use: StorageUse,
  { cold, signal }: { readonly cold: readonly ColdBackend[]; readonly signal?: AbortSignal },
): Promise<OpenedSink> {
  const state = await untilSwitched(config, common, signal);
  return { ...openSink(config, common, use, cold), move: () => state };
}

async function untilSwitched(config: Config, common: Common, signal?: AbortSignal): Promise<MoveState> {
  const to = openNewEnd(config, common);
  const warn = createRareWarning(common);
  try {
    for (;;) {
      try {
        const { record } = await to.moves.look();
        const state = record && decodeState(record, to.name);
        if (state && leadingSide(state) === 'to') return state;
        warn(
          { phase: state?.phase ?? null, nextStep: 'ccv-indexer migration status' },
          'the Go indexer leads: waiting for the switch',
        );
      } catch (thrown) {
        warn({ err: toError(thrown) }, 'the new database does not say whether it leads: waiting');
      }
      await common.clock.sleep(LOOK_MS, signal);
    }
  } finally {
    await to.storage.close();
  }
}
