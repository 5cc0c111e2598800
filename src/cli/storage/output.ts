import { secrets } from '../../core/masker.js';

/** Prints lines on standard output, without secrets. */
export function print(...lines: readonly string[]): void {
  process.stdout.write(`${secrets.text(lines.join('\n'))}\n`);
}

/**
 * Prints a value as JSON on standard output, without secrets; bigints as text, because JSON numbers of that size are
 * not read exactly.
 */
export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, shown, 2)}\n`);
}

/** As `printJson`, in one line. */
export function printJsonLine(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, shown)}\n`);
}

function shown(_key: string, field: unknown): unknown {
  if (typeof field === 'string') return secrets.text(field);
  return typeof field === 'bigint' ? String(field) : field;
}
