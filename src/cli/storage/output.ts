/** Prints lines on standard output. */
export function print(...lines: readonly string[]): void {
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Prints a value as JSON on standard output; bigints as text, because JSON numbers of that size are not read exactly. */
export function printJson(value: unknown): void {
  print(JSON.stringify(value, (_key, field: unknown) => (typeof field === 'bigint' ? String(field) : field), 2));
}
