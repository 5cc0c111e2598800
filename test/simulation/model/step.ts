import fc from 'fast-check';
import type { World } from './world.js';

/** Everything a run can do. */
export type StepKind =
  | WriteKind
  | TierKind
  | OutageKind
  | 'ask message'
  | 'ask results'
  | 'ask transaction'
  | 'ask v2'
  | 'ask feed'
  | 'ask page'
  | 'ask count'
  | 'ask ledger'
  | 'walk'
  | 'follow'
  | 'ask while'
  | 'hear';
export type WriteKind =
  | 'insert'
  | 'late results'
  | 'duplicate'
  | 'conflict'
  | 'status'
  | 'finish'
  | 'origin'
  | 'orphan'
  | 'return'
  | 'move in time'
  | 'execution'
  | 'executed again'
  | 'ledger'
  | 'at once';
export type TierKind =
  | 'flush'
  | 'failed flush'
  | 'age'
  | 'evict'
  | 'prune'
  | 'compact'
  | 'vacuum'
  | 'pass time'
  | 'restart'
  | 'kill'
  | 'kill in flush'
  | 'restart reader';
export type OutageKind = 'break cold' | 'break warm' | 'heal';

/** The state that fast-check hands to commands is the world's own. */
type NoModel = Record<string, never>;

export type Step = fc.AsyncCommand<NoModel, World>;

/** A command of `kind` with parameters from `arbitrary`. */
export function step<P>(
  kind: StepKind,
  arbitrary: fc.Arbitrary<P>,
  run: (world: World, parameters: P) => Promise<void>,
): fc.Arbitrary<Step> {
  return arbitrary.map((parameters) => ({
    check: () => true,
    async run(_model, world) {
      world.tally.count(kind);
      await run(world, parameters);
    },
    toString: () => `${kind} ${JSON.stringify(parameters)}`,
  }));
}

/** `times` of the same, so that it is picked more often. */
export function often<T>(times: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T>[] {
  return Array.from({ length: times }, () => arbitrary);
}

/** A choice among what there is; lists are picked from with its remainder. */
export const pick = fc.nat({ max: 997 });
