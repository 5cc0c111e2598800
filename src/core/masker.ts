import { formsOf, type Secret } from './secret-forms.js';

/** The text in the place of a secret. */
const MASK = '***';

/** Takes secrets out of texts. */
export interface Masker {
  /** Masks these from now on, too. */
  add(secrets: readonly Secret[]): void;
  /** Forgets all secrets: for a process that is used for one thing after another, as that of the tests is. */
  clear(): void;
  /** The text without any secret. */
  text(text: string): string;
  /** Serialised JSON without any secret in its strings. Names of fields and bare numbers stay: the JSON stays whole. */
  json(json: string): string;
  /** A plain value with every string in it masked; the same value when there is nothing to mask. */
  value<T>(value: T): T;
}

/** Nothing that is logged is nested deeper; a circle ends here. */
const MAX_DEPTH = 12;

/** Creates a masker that knows no secret yet. */
export function createMasker(): Masker {
  const known = new Map<string, Secret>();
  let pattern: RegExp | null = null;

  function patternOf(): RegExp {
    pattern ??= new RegExp(longestFirst().flatMap(formsOf).join('|'), 'g');
    return pattern;
  }

  /** A part of another secret must not cut it in pieces. */
  function longestFirst(): Secret[] {
    return [...known.values()].sort((a, b) => b.text.length - a.text.length);
  }

  function text(source: string): string {
    return known.size === 0 ? source : source.replace(patternOf(), MASK);
  }

  function walk(value: unknown, depth: number): unknown {
    if (typeof value === 'string') return text(value);
    if (typeof value !== 'object' || value === null || depth > MAX_DEPTH) return value;
    if (Array.isArray(value)) {
      const items = value.map((item) => walk(item, depth + 1));
      return items.some((item, index) => item !== value[index]) ? items : value;
    }
    if (Object.getPrototypeOf(value) !== Object.prototype) return value;
    const entries = Object.entries(value);
    const masked = entries.map(([key, field]) => [key, walk(field, depth + 1)] as const);
    return masked.some(([, field], index) => field !== entries[index]?.[1]) ? Object.fromEntries(masked) : value;
  }

  return {
    add(secrets) {
      for (const secret of secrets) {
        if (secret.text.trim() === '') continue;
        const before = known.get(secret.text);
        if (before && (before.where === 'anywhere' || secret.where === 'marked')) continue;
        known.set(secret.text, secret);
        pattern = null;
      }
    },
    clear() {
      known.clear();
      pattern = null;
    },
    text,
    json(json) {
      if (known.size === 0) return json;
      return json.replace(patternOf(), (found, ...rest) => {
        const at = rest.find((each): each is number => typeof each === 'number') ?? 0;
        const isName = json[at - 1] === '"' && json.startsWith('":', at + found.length);
        return isName ? found : MASK;
      });
    },
    value: <T>(value: T): T => (known.size === 0 ? value : (walk(value, 0) as T)),
  };
}

/**
 * The secrets of this process. They are told once, where they are read or first used, and masked in everything that
 * leaves it: log lines, status and error answers, errors that are thrown, output of commands. An error may be made
 * far from any masker, so there is one for the process.
 */
export const secrets: Masker = createMasker();
