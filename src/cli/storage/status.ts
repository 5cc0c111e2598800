import { postgresOptions } from '../../app/backend-options.js';
import { backendSections, leadingDatabase, type NamedSection } from '../../app/backend-sections.js';
import { openCold } from '../../app/cold-backends.js';
import { type Unreachable, whyUnreachable } from '../../app/unreachable.js';
import { coldRole } from '../../config/checks/cold-role.js';
import type { Config } from '../../config/schema/schema.js';
import type { Common } from '../../core/common.js';
import { IndexerError } from '../../core/errors.js';
import { inspectPostgres, type PostgresDescription } from '../../storage/postgres/inspection.js';
import { print, printJson } from './output.js';
import { runStorageCommand, type StorageOptions, unlessStopped } from './run-command.js';
import { describeTier } from './status-text.js';
import type { PruneHoldup, TierStatus } from './tier-status.js';

const TELL_EVERY_MS = 5_000;

/** Shows every backend, running or not. @returns the exit code: 1 when one could not be looked at. */
export async function status(options: StorageOptions): Promise<number> {
  return await runStorageCommand(options, async ({ config, common, signal }) => {
    const all = backendSections(config);
    const sections = all.filter(({ Name }) => options.backend === undefined || Name === options.backend);
    if (sections.length === 0)
      throw new IndexerError(
        'NO_SUCH_BACKEND',
        `no backend is called ${options.backend}: write one of ${all.map(({ Name }) => Name).join(', ')}`,
        false,
      );
    const looks = sections.map((section) => ({ name: section.Name, look: lookAt(section, all, config, common) }));
    const looked = await unlessStopped(signal, tellingWhile(common, looks));
    const nowMs = common.clock.nowMs();
    const retentions = new Map(all.map(({ Name, Postgres }) => [Name, Postgres?.Retention ?? 0]));
    const tiers = withHoldup(withLag(looked, leadingDatabase(all)?.Name), retentions, nowMs);
    if (options.json === true) printJson({ namespace: config.Namespace, nowMs, tiers });
    else print(...tiers.flatMap((tier) => describeTier(tier, nowMs)));
    return tiers.some(({ unreachable }) => unreachable) ? 1 : 0;
  });
}

/** Counting a large tier takes long: the tiers still under way are named now and then. */
async function tellingWhile(
  { clock }: Common,
  looks: readonly { readonly name: string; readonly look: Promise<TierStatus> }[],
): Promise<readonly TierStatus[]> {
  const waiting = new Set(looks.map(({ name }) => name));
  const cancel = clock.every(TELL_EVERY_MS, () => {
    process.stderr.write(`looking at ${[...waiting].join(', ')}\n`);
  });
  try {
    return await Promise.all(looks.map(({ name, look }) => look.finally(() => waiting.delete(name))));
  } finally {
    cancel();
  }
}

/** Never throws: a tier that cannot be looked at is shown with the reason. */
async function lookAt(
  section: NamedSection,
  all: readonly NamedSection[],
  config: Config,
  common: Common,
): Promise<TierStatus> {
  const shared = { backend: section.Name, condition: conditionOf(section) };
  switch (section.Type) {
    case 'memory':
      return { ...shared, type: 'memory' };
    case 'postgres':
      return { ...shared, type: 'postgres', ...(await described(() => lookAtPostgres(section, config, common))) };
    case 's3': {
      const role = coldRole(section, all) ?? 'follower';
      if (!section.S3) return { ...shared, type: 's3', place: '', role };
      const cold = openCold(config, { ...section, S3: section.S3 }, common);
      try {
        return {
          ...shared,
          type: 's3',
          place: cold.place,
          role,
          ...(await described(async () => {
            await cold.holdsAnything();
            return await cold.storage.maintenance.describe();
          })),
        };
      } finally {
        await cold.close();
      }
    }
  }
}

async function lookAtPostgres(section: NamedSection, config: Config, common: Common): Promise<PostgresDescription> {
  const { connection, namespace, pool } = postgresOptions(section.Name, config.Namespace, section.Postgres, common);
  const inspection = await inspectPostgres({
    name: section.Name,
    connection,
    namespace,
    ...(pool?.connectTimeoutMs ? { connectTimeoutMs: pool.connectTimeoutMs } : {}),
  });
  try {
    return await inspection.describe();
  } finally {
    await inspection.close();
  }
}

async function described<T>(
  describe: () => Promise<T>,
): Promise<{ readonly description: T } | { readonly unreachable: Unreachable }> {
  try {
    return { description: await describe() };
  } catch (thrown) {
    return { unreachable: whyUnreachable(thrown) };
  }
}

/**
 * Adds to each tier its lag behind the system of record: the database called `leading`, or the cold tier without one.
 * No lag is known where the system of record, or the tier, could not be looked at.
 */
export function withLag(tiers: readonly TierStatus[], leading: string | undefined): readonly TierStatus[] {
  const leader = tiers.find((tier) =>
    leading === undefined ? tier.type === 's3' && tier.role === 'leader' : tier.backend === leading,
  );
  const head = leader && leader.type !== 'memory' ? leader.description : undefined;
  if (!head) return tiers;
  return tiers.map((tier): TierStatus => {
    if (tier === leader || tier.type === 'memory' || !tier.description) return tier;
    const { position, headMs } = tier.description;
    const positions = head.position > position ? head.position - position : 0n;
    // an empty tier has been behind for an unknown time
    return { ...tier, lag: { positions, ms: headMs < 0 ? null : Math.max(0, head.headMs - headMs) } };
  });
}

/**
 * Adds to each database with records beyond its retention the tier that it waits for. `retentions`: ms by backend, 0 =
 * for good. The rule is that of `pruneLimit`. With `--backend` only the tiers that were looked at are known.
 */
export function withHoldup(
  tiers: readonly TierStatus[],
  retentions: ReadonlyMap<string, number>,
  nowMs: number,
): readonly TierStatus[] {
  return tiers.map((tier): TierStatus => {
    const retentionMs = retentions.get(tier.backend) ?? 0;
    if (tier.type !== 'postgres' || !tier.description || retentionMs === 0) return tier;
    const dueMs = nowMs - retentionMs;
    const { oldestMs, position } = tier.description;
    if (oldestMs < 0 || oldestMs >= dueMs) return tier;
    const waits = tiers.flatMap((other): PruneHoldup[] => {
      if (other === tier || other.type === 'memory') return [];
      const { backend, description } = other;
      if (!description || description.position < description.headPosition) return [{ backend, dueMs, headMs: null }];
      const { headMs } = description;
      return headMs >= dueMs || description.position >= position ? [] : [{ backend, dueMs, headMs }];
    });
    const [last] = waits.sort((a, b) => (a.headMs ?? -1) - (b.headMs ?? -1));
    return last ? { ...tier, pruning: last } : tier;
  });
}

function conditionOf({ ReadCondition }: NamedSection): string {
  if (!ReadCondition) return 'always';
  const { Type, StartUnix, EndUnix, LookbackWindowSeconds } = ReadCondition;
  if (Type === 'time_range') return `time_range ${formatBound(StartUnix)} to ${formatBound(EndUnix)}`;
  return LookbackWindowSeconds === undefined ? Type : `${Type} ${LookbackWindowSeconds} s`;
}

function formatBound(unixMs: number | undefined): string {
  return unixMs === undefined ? '…' : new Date(unixMs).toISOString();
}
