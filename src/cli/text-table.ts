/** Lines of columns as wide as their cells: the first to the left, the others to the right. */
export function textTable(rows: readonly (readonly string[])[], indent = ''): string[] {
  return aligned(rows, (cell, width, column) => (column === 0 ? cell.padEnd(width) : cell.padStart(width)), indent);
}

/** Lines of columns as wide as their cells, all to the left. */
export function wordTable(rows: readonly (readonly string[])[]): string[] {
  return aligned(rows, (cell, width) => cell.padEnd(width), '');
}

function aligned(
  rows: readonly (readonly string[])[],
  pad: (cell: string, width: number, column: number) => string,
  indent: string,
): string[] {
  const widths: number[] = [];
  for (const row of rows)
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length);
    });
  return rows.map((row) => {
    const cells = row.map((cell, column) => pad(cell, widths[column] ?? 0, column));
    return `${indent}${cells.join('  ')}`.trimEnd();
  });
}
