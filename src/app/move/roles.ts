import type { Config, MigrationSection } from '../../config/schema/schema.js';
import { InvalidArgumentError } from '../../core/errors.js';
import { followingSide, isUnderWay, leadingSide, type MoveState, type Side } from '../../migration/move-state.js';
import type { ThrottleLimits } from '../../migration/throttle.js';
import { backendSections, type NamedSection } from '../backend-sections.js';

/** The two databases of `[Migration]`. */
export type MovingSections = Readonly<Record<Side, NamedSection>>;

/** The table `[Migration]`. @throws InvalidArgumentError without one. */
export function migrationOf({ Migration }: Config): MigrationSection {
  if (!Migration) throw new InvalidArgumentError('the configuration has no [Migration]');
  return Migration;
}

/** The limits of passes over the database in use. */
export function limitsOf(config: Config): ThrottleLimits {
  const { RowsPerSecond, MaxLatency, MaxReplicationLag } = migrationOf(config);
  return { rowsPerSecond: RowsPerSecond, latencyMs: MaxLatency, lagMs: MaxReplicationLag };
}

/** The sections of the two databases; null where nothing moves between two of ours. */
export function movingSections(config: Config): MovingSections | null {
  const { Migration } = config;
  return Migration?.From === undefined
    ? null
    : { from: sectionOf(config, Migration.From), to: sectionOf(config, Migration.To) };
}

/** The section of the backend of that name. @throws InvalidArgumentError when there is none. */
export function sectionOf(config: Config, name: string): NamedSection {
  const section = backendSections(config).find(({ Name }) => Name === name);
  if (!section) throw new InvalidArgumentError(`no backend has the name ${name}`);
  return section;
}

/**
 * The configuration by which a process works in a state of the move: the database that leads, in the place of `From`
 * and with its read condition; the one that follows, which nothing reads; without the one that does neither. Until the
 * move is over nothing is pruned.
 */
export function configIn(config: Config, state: MoveState | null): Config {
  const sections = movingSections(config);
  const { Migration, Storage } = config;
  if (!sections || !Migration || !Storage.Sink) return config;
  const leading: Side = state === null ? 'from' : leadingSide(state);
  const following = state === null ? null : followingSide(state);
  const keeps = state !== null && isUnderWay(state);
  const role = (side: Side): NamedSection | null => {
    const section = sections[side];
    const postgres = section.Postgres && { ...section.Postgres, ...(keeps ? { Retention: 0 } : {}) };
    const common = { ...section, ...(postgres ? { Postgres: postgres } : {}) };
    if (side === leading) return { ...common, Required: true, ...conditionOf(sections.from) };
    if (side !== following) return null;
    return { ...common, Required: side === 'from' && Migration.BackupRequired, ReadCondition: { Type: 'never' } };
  };
  const [lead, follower] = [role(leading), role(leading === 'from' ? 'to' : 'from')];
  const storages = backendSections(config).flatMap((section): (NamedSection | null)[] => {
    if (section.Name === Migration.From) return [lead, follower];
    return section.Name === Migration.To ? [] : [section];
  });
  return {
    ...config,
    Storage: { ...Storage, Sink: { ...Storage.Sink, Storages: storages.filter((section) => section !== null) } },
  };
}

function conditionOf({ ReadCondition }: NamedSection) {
  return ReadCondition ? { ReadCondition } : {};
}
