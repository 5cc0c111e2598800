import type { FilterCost } from './benches/filters.js';
import { ASKERS, type Growth } from './benches/growth.js';
import { isWithin, type MiddleAndWorst, PAGE_LIMIT, type ReadCost } from './benches/read-costs.js';
import { figure, formatColumns, milliseconds, verdict } from './table.js';
import { PAYLOAD_BYTES } from './workload/records.js';

const KIB = 1024;

/** Note under the table of reads. */
export const READS_NOTE =
  'Requests, KiB and ms: median / worst of what was asked; the aim is for the worst. Footers and indexes are in ' +
  'memory, rows are not; the log is taken to be unchanged. Looking for news, which a reader does once a second at ' +
  'most, is a line of its own. Smaller sizes are shown where an aim is missed; --json has all.';
/** Note under the table of growth. */
export const GROWTH_NOTE =
  `Each tier alone, without API or Sink: verifier results of ${PAYLOAD_BYTES} bytes by message id, and pages of ` +
  `${PAGE_LIMIT} by time; ms: median, one at a time; /s: ${ASKERS} at a time. count: of everything; page at n/2: by offset.`;

/** Note under the table of filters. */
export const FILTERS_NOTE =
  '`/v2/messages` over HTTP, 50 messages a page, one question after the other. first: of twenty equal ones, ms and worst ' +
  'of the others. Postgres: each index with its scans and the entries that they read, for one answer.';

const READ_HEAD = ['cold read', 'store', 'records', 'asked', 'requests', 'KiB', 'ms', 'aim', 'met'] as const;
const FILTER_HEAD = ['filter', 'tier', 'messages', 'found', 'first, ms', 'ms', 'worst', 'plan of an answer'] as const;
const GROWTH_HEAD = [
  ...['tier', 'records', 'bytes/record', 'of it indexes', 'by id, ms', 'by id, /s', 'page, ms', 'page, /s'],
  ...['count, ms', 'page at n/2, ms'],
] as const;

/**
 * Costs of reads of the cold tier, median and worst of each, as a table for people: at the largest size, and at others
 * where an aim was missed.
 */
export function formatReads(reads: readonly ReadCost[]): string {
  const largest = Math.max(...reads.map(({ records }) => records));
  const shown = reads.filter((read) => read.records === largest || isWithin(read) === false);
  const rows = shown.map((read) => [
    read.question,
    read.store,
    figure(read.records),
    figure(read.asked),
    pair(read.requests, figure),
    pair({ median: read.bytes.median / KIB, worst: read.bytes.worst / KIB }, figure),
    pair(read.ms, milliseconds),
    aimText(read.aim),
    verdict(isWithin(read)),
  ]);
  return formatColumns(READ_HEAD, ['cold read', 'store', 'aim'], rows);
}

/** How tiers do as they grow, as a table for people. */
export function formatGrowth(growth: readonly Growth[]): string {
  const rows = growth.map(({ tier, records, bytesPerRecord, indexBytesPerRecord, byId, page, countMs, middleMs }) => [
    tier,
    figure(records),
    figure(bytesPerRecord),
    indexBytesPerRecord === null ? '' : figure(indexBytesPerRecord),
    ...[milliseconds(byId.ms), figure(byId.perSecond)],
    ...[milliseconds(page.ms), figure(page.perSecond)],
    ...[milliseconds(countMs), milliseconds(middleMs)],
  ]);
  return formatColumns(GROWTH_HEAD, ['tier'], rows);
}

/** What each filter costs, as a table for people. */
export function formatFilters(filters: readonly FilterCost[]): string {
  const rows = filters.map(({ filter, tier, messages, found, firstMs, medianMs, worstMs, plan }) => [
    ...[filter, tier, figure(messages), figure(found)],
    ...[milliseconds(firstMs), milliseconds(medianMs), milliseconds(worstMs), plan],
  ]);
  return formatColumns(FILTER_HEAD, ['filter', 'tier', 'plan of an answer'], rows);
}

function pair({ median, worst }: MiddleAndWorst, format: (value: number) => string): string {
  return `${format(median)} / ${format(worst)}`;
}

function aimText(aim: ReadCost['aim']): string {
  if (aim === null) return '';
  return aim.bytes === null ? `≤ ${aim.requests}` : `≤ ${aim.requests}, ${figure(aim.bytes / KIB)} KiB`;
}
