import { openGoImport } from '../../app/move/go-import.js';
import { IndexerError } from '../../core/errors.js';
import { nameProcess } from '../../indexer/workers/process-name.js';
import type { GoIndexerImport } from '../../migration/go-indexer/go-indexer-import.js';
import type { GoIndexerReport } from '../../migration/go-indexer/import-report.js';
import { formatCount } from '../amounts.js';
import type { MoveCommandContext } from './move-context.js';

/** One command at a time fills the new database: two would give one position to two records. */
const SOURCE = 'go-indexer:import';
const LEASE_MS = 10_000;
const BEAT_MS = 2_000;
/** Between two steps that find nothing. */
const IDLE_MS = 1_000;

/** Takes everything over, and with `follow` goes on until a signal. @throws AbortedError at a signal. */
export async function fillFromGo(context: MoveCommandContext, follow: boolean): Promise<void> {
  await withImport(context, async (source, signal) => {
    for (;;) {
      const { phase, rowsTaken, rowsInAll, isIdle } = await source.step(signal);
      context.progress.show({
        step: phase === 'filling' ? 'rows of the Go indexer' : 'following the Go indexer',
        done: rowsTaken,
        total: phase === 'filling' ? Math.max(rowsInAll, rowsTaken) : null,
        unit: 'rows',
      });
      if (!isIdle) continue;
      if (!follow) return;
      await context.common.clock.sleep(IDLE_MS, signal);
    }
  });
}

/** Compares every row with the record that it became. */
export async function compareWithGo(
  repair: boolean,
  context: MoveCommandContext,
): Promise<{ readonly rows: number; readonly differences: number; readonly repaired: number }> {
  return await withImport(context, async (source, signal) => {
    const pass = async (mends: boolean) =>
      await source.compare({
        ...{ repair: mends, signal },
        onProgress: (done, total) =>
          context.progress.show({ step: 'compare', done, total: Math.max(total, done), unit: 'rows' }),
      });
    const first = await pass(repair);
    if (!repair || first.differences === 0) return { ...first, repaired: 0 };
    return { ...(await pass(false)), repaired: first.differences };
  });
}

async function withImport<T>(
  context: MoveCommandContext,
  work: (source: GoIndexerImport, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  return await withImportLease(context, async (signal) => {
    const source = openGoImport(context.config, context.to.storage, context.common);
    try {
      return await work(source, signal);
    } finally {
      await source.close();
    }
  });
}

/** Holds the import's lease during the work, which ends when it is lost. @throws IndexerError where it is held. */
export async function withImportLease<T>(
  { common, to, signal }: Pick<MoveCommandContext, 'common' | 'to' | 'signal'>,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { leases } = to.storage;
  const { member } = nameProcess(common.random);
  const lost = new AbortController();
  const beat = async () => {
    const { leases: owned } = await leases.beat({ member, sources: [SOURCE], verifiers: [] }, LEASE_MS, []);
    return owned.find(({ source }) => source === SOURCE)?.owner ?? null;
  };
  await beat();
  const [lease] = await leases.take(member, [SOURCE]);
  if (!lease) {
    const owner = await beat();
    await leases.leave(member);
    throw new IndexerError(
      'IMPORT_UNDER_WAY',
      `${owner ?? 'another command'} fills ${to.name} at this moment: wait until it has ended, or stop it`,
      true,
    );
  }
  const stopBeating = common.clock.every(BEAT_MS, () => {
    beat().then(
      (owner) => owner === member || lost.abort(),
      (thrown: unknown) => lost.abort(thrown),
    );
  });
  try {
    return await work(AbortSignal.any([signal, lost.signal]));
  } finally {
    stopBeating();
    await leases.leave(member);
  }
}

/** The report of the last pass, for people. */
export function goReportLines({ theirs, ours, quarantined, discoveries, lost }: GoIndexerReport): readonly string[] {
  return [
    `taken over: ${formatCount(ours.messages)} of ${formatCount(theirs.messages)} messages, ` +
      `${formatCount(ours.verifierResults)} of ${formatCount(theirs.verifierResults)} verifier results`,
    ...Object.entries(quarantined).map(([reason, count]) => `  quarantined: ${formatCount(count)} ${reason}`),
    ...discoveries.taken.map(({ name, height }) => `  ${name} goes on after sequence ${height}`),
    ...discoveries.unknown.map(({ location }) => `  no [[Discoveries]] has the address ${location}`),
    'not in its tables, and so not taken over:',
    ...lost.map((each) => `  ${each}`),
  ];
}
