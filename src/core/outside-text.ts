import { secrets } from './masker.js';

/** Longer texts from outside are cut. */
const MAX_CHARS = 200;
/**
 * Characters that move a cursor, rewrite a terminal or turn the direction of writing: `\p{C}` but for unassigned
 * letters.
 */
const CONTROLS = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]+/gu;
/** Much more than is kept is not looked at. */
const MAX_LOOKED_AT = 64 * 1024;
const MAX_PAGE = 4_096;
const TAGS = /<(?:style|script)\b[^<]*<\/[^>]*>|<[^>]*>/gi;

/**
 * A text that somebody else wrote (a provider, a verifier, an object store), fit for logs, status and errors: without
 * secrets, on one line, at most `maxChars` long. Masked before it is cut: half a secret would not be recognised.
 */
export function outsideText(text: string, maxChars = MAX_CHARS): string {
  const line = secrets.text(text.slice(0, MAX_LOOKED_AT)).replace(CONTROLS, ' ').replace(/\s+/g, ' ').trim();
  const characters = [...line];
  return characters.length <= maxChars ? line : `${characters.slice(0, maxChars - 1).join('')}…`;
}

/**
 * The first line of such a text that says anything; of JSON all of it, and of a page its words, since their first
 * lines are a bracket or a tag.
 */
export function firstOutsideLine(text: string, maxChars = MAX_CHARS): string {
  // masked before anything is cut off or taken out: half a secret would not be recognised
  const start = secrets.text(text.slice(0, MAX_LOOKED_AT)).trimStart().slice(0, MAX_PAGE);
  if (/^[{[]/.test(start)) return outsideText(start, maxChars);
  if (start.startsWith('<')) return outsideText(start.replace(TAGS, ' '), maxChars);
  const [line = ''] = start.split(/[\r\n\u2028\u2029]/, 1);
  return outsideText(line, maxChars);
}

/**
 * The reason of a failed connection: the system's code, which names no address, or else the library's words (of a
 * proxy, say).
 */
export function networkReason(error: Error): string {
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' && /^E[A-Z]+$|^(?:CERT|ERR_TLS)_/.test(code) ? code : outsideText(error.message);
}
