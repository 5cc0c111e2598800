import type { ColdDescription } from '../../storage/cold/maintenance/cold-maintenance.js';
import type { PostgresDescription } from '../../storage/postgres/inspection.js';
import { formatBytes, formatCount, formatDuration, formatMs } from '../amounts.js';
import { textTable } from '../text-table.js';
import type { Lag, PruneHoldup, TierStatus } from './tier-status.js';

const INDENT = '  ';

/** The lines that `storage status` prints for one backend. */
export function describeTier(tier: TierStatus, nowMs: number): string[] {
  const title = `${tier.backend} (${tier.type}${tier.type === 's3' ? `, ${tier.place}` : ''}), read ${tier.condition}`;
  return [title, ...bodyOf(tier, nowMs).map((line) => `${INDENT}${line}`), ''];
}

function bodyOf(tier: TierStatus, nowMs: number): string[] {
  if (tier.unreachable) return [`UNREACHABLE: ${tier.unreachable.message} (${tier.unreachable.code})`];
  switch (tier.type) {
    case 'memory':
      return ['in each process by itself: see /status on its admin port'];
    case 'postgres':
      return tier.description ? [...postgresLines(tier.description, tier.lag, nowMs), ...pruneLines(tier.pruning)] : [];
    case 's3':
      return tier.description ? coldLines(tier.description, tier.lag, nowMs) : [];
  }
}

function postgresLines(description: PostgresDescription, lag: Lag | undefined, nowMs: number): string[] {
  const { position, headPosition, headMs, floorPosition, floorMs, oldestMs, newestMs, tables } = description;
  const bytes = tables.reduce((sum, table) => sum + table.bytes, 0);
  const isWhole = position >= headPosition;
  return [
    isWhole
      ? `complete for positions ${formatCount(floorPosition + 1n)} to ${formatCount(position)}${pruned(floorMs)}`
      : `NOT COMPLETE: at position ${formatCount(position)} of ${formatCount(headPosition)}; finish with ` +
        `'ccv-indexer storage restore', or by following`,
    ...times(oldestMs, newestMs, headMs, nowMs),
    ...lagLines(lag),
    `${formatBytes(bytes)} in schema ${description.namespace}`,
    ...textTable([
      ['table', 'rows', 'bytes'],
      ...tables.map((table) => [
        table.table,
        `${table.isEstimate ? '~' : ''}${formatCount(table.rows)}`,
        formatBytes(table.bytes),
      ]),
    ]),
  ];
}

function pruneLines(holdup: PruneHoldup | undefined): string[] {
  if (!holdup) return [];
  const { backend, dueMs, headMs } = holdup;
  const why = headMs === null ? 'cannot be relied on now' : headMs < 0 ? 'is empty' : `ends at ${formatMs(headMs)}`;
  return [`pruning of records before ${formatMs(dueMs)} waits for ${backend}, which ${why}`];
}

function pruned(floorMs: number): string {
  return floorMs < 0 ? '' : `, pruned up to ${formatMs(floorMs)}`;
}

function coldLines(description: ColdDescription, lag: Lag | undefined, nowMs: number): string[] {
  const { headMs, tornFiles, tables, waitingForVacuum } = description;
  const filled = tables.filter(({ rows }) => rows > 0);
  const oldestMs = Math.min(...filled.map(({ minMs }) => minMs).filter((ms) => ms >= 0));
  const newestMs = Math.max(-1, ...filled.map(({ maxMs }) => maxMs));
  const sum = (of: (table: (typeof tables)[number]) => number) => tables.reduce((total, each) => total + of(each), 0);
  const toCompact = { files: sum((each) => each.toCompact.files), bytes: sum((each) => each.toCompact.bytes) };
  return [
    coldProgress(description),
    ...times(oldestMs, newestMs, headMs, nowMs),
    ...lagLines(lag),
    `${formatBytes(sum((each) => each.bytes + each.indexBytes))} in ${formatCount(sum((each) => each.files))} files`,
    ...textTable([
      ['table', 'version', 'files', 'small', 'rows', 'bytes', 'indexes'],
      ...tables.map((table) => [
        table.table,
        formatCount(table.version),
        formatCount(table.files),
        formatCount(table.smallFiles),
        formatCount(table.rows),
        formatBytes(table.bytes),
        formatBytes(table.indexBytes),
      ]),
    ]),
    ...(tornFiles === 0 ? [] : [`${formatCount(tornFiles)} files of flushes under way, or never committed`]),
    ...(toCompact.files === 0
      ? []
      : [`to compact: ${formatCount(toCompact.files)} files, ${formatBytes(toCompact.bytes)}`]),
    ...(waitingForVacuum.files === 0
      ? []
      : [`waiting for vacuum: ${formatCount(waitingForVacuum.files)} files, ${formatBytes(waitingForVacuum.bytes)}`]),
  ];
}

function coldProgress({ position, headPosition }: ColdDescription): string {
  if (position === 0n) return 'empty';
  if (position < headPosition)
    return (
      `CATCHING UP: at position ${formatCount(position)} of ${formatCount(headPosition)}; a backlog is flushed in ` +
      'parts'
    );
  return `complete for positions 1 to ${formatCount(position)}`;
}

function times(oldestMs: number, newestMs: number, headMs: number, nowMs: number): string[] {
  if (headMs < 0) return [];
  const age = formatDuration(Math.max(0, nowMs - headMs));
  return [`records from ${formatMs(oldestMs)} to ${formatMs(newestMs)}, last commit ${age} ago`];
}

function lagLines(lag: Lag | undefined): string[] {
  if (!lag) return [];
  if (lag.positions === 0n) return ['holds everything that is committed'];
  const behind = `${formatCount(lag.positions)} positions behind`;
  return [lag.ms === null ? behind : `${behind}, ${formatDuration(lag.ms)} between the last commits`];
}
