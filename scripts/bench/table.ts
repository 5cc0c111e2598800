import { type Aim, isMet, type Row } from './measure.js';

const HEAD = ['what', 'product', 'ceiling', 'unit', 'ratio', 'spread', 'aim', 'met'] as const;
const LEFT_ALIGNED: ReadonlySet<string> = new Set(['what', 'unit']);

/** The rows as a table for people. */
export function formatTable(rows: readonly Row[]): string {
  const cells: readonly (readonly string[])[] = [HEAD, ...rows.map(toCells)];
  const widths = HEAD.map((_, column) => Math.max(...cells.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) =>
        LEFT_ALIGNED.has(HEAD[column]!) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!),
      )
      .join('  ')
      .trimEnd();
  const [head, ...body] = cells.map(line);
  return [head, widths.map((width) => '-'.repeat(width)).join('  '), ...body].join('\n');
}

function toCells(row: Row): readonly string[] {
  const met = isMet(row);
  return [
    row.what,
    figure(row.product),
    figure(row.ceiling),
    row.unit,
    row.ratio.toFixed(2),
    `${row.spread[0].toFixed(2)}–${row.spread[1].toFixed(2)}`,
    row.aim === null ? '' : aimText(row.aim),
    met === null ? '' : met ? 'yes' : 'NO',
  ];
}

function aimText({ kind, ratio }: Aim): string {
  return `${kind === 'atLeast' ? '≥' : '≤'} ${ratio.toFixed(2)}`;
}

function figure(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}
