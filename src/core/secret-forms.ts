/** The form of a secret in a text. */
export interface Secret {
  readonly text: string;
  /**
   * `anywhere`, or only where it is `marked` as a value: behind `/`, `=`, or between `:` and `@`. For texts that may
   * be a word as well, such as a part of a path: a text that happens to have the word stays as it is.
   */
  readonly where: 'anywhere' | 'marked';
}

/** A shorter one is masked only where it is marked: in ordinary text it would hide other words. */
export const SHORTEST_ANYWHERE = 6;
/** Fewer characters of base64 or hex may be a coincidence. */
const SHORTEST_ENCODED = 7;

/** Entities by which a character is written in HTML. */
const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;|&#34;',
  "'": '&#39;|&#x27;',
};

/**
 * The sources of the regular expressions that find a secret: as it is, in URLs (every mix of the two encodings, once
 * or twice), in JSON, in HTML, in base64 and base64url (alone or within a longer text, such as Basic's
 * `user:password`), in hex, and, of one that is hex itself, in the other case.
 */
export function formsOf({ text, where }: Secret): string[] {
  const plain = [...text].map(plainCharacter).join('');
  if (where === 'marked' || text.length < SHORTEST_ANYWHERE)
    return [`(?<=[/=]|%2[fF]|%3[dD])${plain}(?![A-Za-z0-9])`, `(?<=:|%3[aA])${plain}(?=@|%40)`];
  const bytes = Buffer.from(text);
  const forms = [isDigits(text) ? amongDigits(plain) : plain, ...base64Forms(bytes), anyCase(bytes.toString('hex'))];
  const [, hex] = /^(?:0x)?((?:[0-9a-f]{2}){4,})$/i.exec(text) ?? [];
  if (hex !== undefined && !isDigits(text)) forms.push(anyCase(hex), ...base64Forms(Buffer.from(hex, 'hex')));
  return forms;
}

function plainCharacter(character: string): string {
  if (/[A-Za-z0-9]/.test(character)) return character;
  const bytes = [...Buffer.from(character)].map((byte) => byte.toString(16).padStart(2, '0'));
  const forms = [
    escaped(character),
    bytes.map((byte) => `%(?:25)?${anyCase(byte)}`).join(''),
    ...(character === ' ' ? ['\\+'] : []),
    ...('"\\/'.includes(character) ? [`\\\\+${escaped(character)}`] : []),
    ...[...character].flatMap((unit) =>
      unit.length === 1 ? [`\\\\u${anyCase(unit.charCodeAt(0).toString(16).padStart(4, '0'))}`] : [],
    ),
    ...(ENTITIES[character] ? [ENTITIES[character]] : []),
  ];
  return `(?:${forms.join('|')})`;
}

/**
 * Of the three ways in which base64 can cut a text into sixes of bits: the characters that the secret alone decides.
 */
function base64Forms(bytes: Buffer): string[] {
  const whole = bytes.toString('base64').replace(/=+$/, '');
  const inner = [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    return encoded.slice(Math.ceil((offset * 8) / 6), Math.floor(((offset + bytes.length) * 8) / 6));
  });
  return [whole, ...inner].filter((form) => form.length >= SHORTEST_ENCODED).map(base64Source);
}

function base64Source(form: string): string {
  return form.replace(/[+/]/g, (sign) => (sign === '+' ? '(?:[+-]|%2[bB])' : '(?:[/_]|\\\\/|%2[fF])'));
}

function anyCase(hex: string): string {
  return hex.replace(/[a-f]/gi, (digit) => `[${digit.toLowerCase()}${digit.toUpperCase()}]`);
}

/** A number of its own within text: never a part of a longer one, and never a bare number of JSON. */
function amongDigits(digits: string): string {
  return `(?:(?<![\\d.:,[-])${digits}(?![\\d.])|(?<=:)${digits}(?=@))`;
}

function isDigits(text: string): boolean {
  return /^\d+$/.test(text);
}

function escaped(character: string): string {
  return character.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
