const QUOTE = 0x22;
const BACKSLASH = 0x5c;
/** Shorter strings end before a search for their end has begun. */
const NEAR = 24;

/** Index of the first quote at or after `from` that an even number of backslashes precedes; -1 without one. */
export function closingQuote(text: string, from: number): number {
  for (let at = from; at < from + NEAR; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at;
    if (code === BACKSLASH) at++;
  }
  for (let quote = text.indexOf('"', from); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let before = quote - 1;
    while (before >= from && text.charCodeAt(before) === BACKSLASH) before--;
    if ((quote - before) % 2 === 1) return quote;
  }
  return -1;
}
