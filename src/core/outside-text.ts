import { secrets } from './masker.js';

/** Longer texts from outside are cut. */
const MAX_CHARS = 200;
/** What moves a cursor, rewrites a terminal or turns the direction of writing: `\p{C}` but for letters not yet assigned. */
const CONTROLS = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]+/gu;
/** Much more than is kept is not looked at. */
const MAX_LOOKED_AT = 64 * 1024;

/**
 * A text that somebody else wrote (a provider, a verifier, an object store), fit for logs, status and errors: without
 * secrets, on one line, at most `maxChars` long. Masked before it is cut: half a secret would not be recognised.
 */
export function outsideText(text: string, maxChars = MAX_CHARS): string {
  const line = secrets.text(text.slice(0, MAX_LOOKED_AT)).replace(CONTROLS, ' ').replace(/\s+/g, ' ').trim();
  const characters = [...line];
  return characters.length <= maxChars ? line : `${characters.slice(0, maxChars - 1).join('')}…`;
}

/** The first line of such a text that says anything. */
export function firstOutsideLine(text: string, maxChars = MAX_CHARS): string {
  const lines = text.slice(0, MAX_LOOKED_AT).split(/[\r\n\u2028\u2029]+/);
  return outsideText(lines.find((line) => line.trim() !== '') ?? '', maxChars);
}
