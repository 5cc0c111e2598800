import { type Cost, isWithinCost } from './cost.js';
import { type Aim, isMet, type Row } from './measure.js';

const HEAD = ['what', 'product', 'ceiling', 'unit', 'ratio', 'spread', 'aim', 'met'] as const;
const COST_HEAD = ['operation', 'Node, µs', 'Postgres, µs', 'aim', 'met'] as const;
const LEFT_ALIGNED = ['what', 'unit'];

/** Figures against their ceilings as a table for people. */
export function formatTable(rows: readonly Row[]): string {
  return formatColumns(HEAD, LEFT_ALIGNED, rows.map(toCells));
}

/** Note under the table of costs. */
export const COSTS_NOTE =
  'CPU time of an operation by the accounting of the operating system, user and system: of the process, and of the ' +
  'Postgres server with its background processes; medians of the rounds.';

/** CPU time of operations as a table for people. */
export function formatCosts(costs: readonly Cost[]): string {
  const rows = costs.map((cost) => [
    cost.what,
    microseconds(cost.nodeUs),
    microseconds(cost.postgresUs),
    cost.aim === null
      ? ''
      : `≤ ${[cost.aim.nodeUs, ...(cost.aim.postgresUs === null ? [] : [cost.aim.postgresUs])].map(rounded).join(' + ')}`,
    verdict(isWithinCost(cost)),
  ]);
  return formatColumns(COST_HEAD, ['operation', 'aim'], rows);
}

/** Cells in columns that are as wide as they must be, under a head and a rule. */
export function formatColumns(
  head: readonly string[],
  leftAligned: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const widths = head.map((name, column) => Math.max(name.length, ...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        leftAligned.includes(head[column]!) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  ')
      .trimEnd();
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}

/** A whole number, its thousands apart. */
export function figure(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** Milliseconds with as many digits as say something. */
export function milliseconds(value: number): string {
  if (value >= 100) return figure(value);
  if (value >= 10) return value.toFixed(1);
  return value.toFixed(value >= 1 ? 2 : value >= 0.01 ? 3 : 4);
}

function rounded(value: number): string {
  return String(Math.round(value * 10) / 10);
}

function microseconds(value: number | null): string {
  if (value === null) return '';
  return value >= 100 ? figure(value) : value.toFixed(1);
}

function toCells(row: Row): readonly string[] {
  return [
    row.what,
    figure(row.product),
    figure(row.ceiling),
    row.unit,
    row.ratio.toFixed(2),
    `${row.spread[0].toFixed(2)}–${row.spread[1].toFixed(2)}`,
    row.aim === null ? '' : aimText(row.aim),
    verdict(isMet(row)),
  ];
}

/** Whether an aim is met, for people; null: there is none. */
export function verdict(met: boolean | null): string {
  return met === null ? '' : met ? 'yes' : 'NO';
}

function aimText({ kind, ratio }: Aim): string {
  return `${kind === 'atLeast' ? '≥' : '≤'} ${ratio.toFixed(2)}`;
}
