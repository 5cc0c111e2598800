import { openEnds, openNewEnd, type PostgresEnd } from '../../app/move/ends.js';
import { openGoImport } from '../../app/move/go-import.js';
import { migrationOf } from '../../app/move/roles.js';
import { createGoIndexerMove, type GoIndexerMove } from '../../migration/go-indexer/go-indexer-move.js';
import { createMove, type Move } from '../../migration/move.js';
import type { MoveEnds } from '../../migration/move-ends.js';
import { readConfig } from '../config/read-config.js';
import type { ConfigOptions } from '../config-option.js';
import { runCommand, type StorageCommand } from '../storage/run-command.js';

/** Options of the steps of a move. */
export interface MoveOptions extends ConfigOptions {
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly from?: string;
  readonly to?: string;
}

/** Options of the two steps that can do without one of the databases. */
export interface AbandonOptions extends MoveOptions {
  readonly abandonNew?: boolean;
  readonly abandonOld?: boolean;
}

export interface WatchOptions extends ConfigOptions {
  readonly json: boolean;
  readonly watch: boolean;
}

/** A command with the move that its configuration names. */
export interface MoveCommandContext extends StorageCommand {
  readonly move: Omit<Move, 'shadow' | 'abandonNew' | 'abandonOld'>;
  readonly to: PostgresEnd;
  /** Null: the old side is the Go indexer's database. */
  readonly ours: { readonly ends: MoveEnds; readonly move: Move } | null;
  /** Not null where the old side is the Go indexer's database. */
  readonly goMove: GoIndexerMove | null;
}

/** Runs work on a move; see `runCommand`. */
export async function withMove(
  options: ConfigOptions,
  work: (context: MoveCommandContext) => Promise<number>,
): Promise<number> {
  return await runCommand(readConfig(options), async (command) => {
    const { config, common } = command;
    if (migrationOf(config).GoIndexer) {
      const to = openNewEnd(config, common);
      const goMove = createGoIndexerMove({ to, opens: () => openGoImport(config, to.storage, common) }, common);
      return await closing([to], work({ ...command, move: goMove, goMove, to, ours: null }));
    }
    const ends = openEnds(config, common);
    const move = createMove(ends, common);
    return await closing(
      [ends.from, ends.to],
      work({ ...command, move, goMove: null, to: ends.to, ours: { ends, move } }),
    );
  });
}

async function closing<T>(ends: readonly PostgresEnd[], work: Promise<T>): Promise<T> {
  try {
    return await work;
  } finally {
    await Promise.all(ends.map(({ storage }) => storage.close()));
  }
}
