import { z } from 'zod';
import { InvalidArgumentError } from '../core/errors.js';
import { DEFAULT_LIMIT } from '../model/list-query.js';
import { parseRfc3339 } from '../protocol/rfc3339.js';

/** Most records in one answer; more is a 400. */
const MAX_LIMIT = 1_000;

const MAX_SELECTOR = 2n ** 64n - 1n;
/** The last instant a Date can hold; later ones mean the same for ingestion times. */
const MAX_TIME_MS = 8.64e15;

const UNIX_MS = /^-?\d{1,19}$/;
const WHOLE = /^\d{1,19}$/;

const SELECTORS_ERROR = 'must be chain selectors (0 to 18446744073709551615) separated by commas';
const selector = z.string().regex(digitsUpTo(MAX_SELECTOR), { error: SELECTORS_ERROR, abort: true }).transform(BigInt);
const selectors = z.array(selector);

/** RFC 3339 or unix milliseconds; a start between two milliseconds is the later one, an end the earlier one. */
const time = (rounding: 'up' | 'down') =>
  z.union([z.iso.datetime({ offset: true }), z.string().regex(UNIX_MS)]).transform((text, context) => {
    const ms = UNIX_MS.test(text) ? Number(text) : parseRfc3339(text, rounding);
    if (ms === null) {
      context.addIssue({ code: 'custom', message: TIME_ERROR });
      return z.NEVER;
    }
    return Math.max(-MAX_TIME_MS, Math.min(MAX_TIME_MS, ms));
  });
const TIME_ERROR = 'must be RFC 3339 (2026-01-02T03:04:05Z) or unix milliseconds';

/**
 * Matches whole numbers from 0 to `max`, with as many zeros in front as `max` has room for. A pattern, because the
 * OpenAPI document shows it.
 */
function digitsUpTo(max: bigint): RegExp {
  const digits = String(max);
  const below = [...digits].flatMap((digit, index) => {
    const rest = digits.length - index - 1;
    return digit === '0' ? [] : [`${digits.slice(0, index)}[0-${Number(digit) - 1}]\\d{${rest}}`];
  });
  return new RegExp(`^(?:\\d{1,${digits.length - 1}}|${below.join('|')}|${digits})$`);
}

/** A whole number of a query string. */
export const whole = (max: number, min = 0) => {
  const error = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(WHOLE, { error, abort: true })
    .transform(Number)
    .pipe(z.number().int({ error }).min(min, { error }).max(max, { error }));
};

/** One query parameter: the single source of how it is read and of how it is described. */
export interface QueryParameter<T> {
  readonly name: string;
  readonly description: string;
  /** Takes the decoded text of the parameter, or for a `list` its comma-separated items. */
  readonly schema: z.ZodType<T>;
  readonly kind: 'single' | 'list';
  /** Side of `schema` that the OpenAPI document shows: the text of the client, or the value read from it. */
  readonly shown: 'input' | 'output';
  readonly default?: number;
}

const parameter = <T>(definition: QueryParameter<T>): QueryParameter<T> => definition;

/** The parameters of both lists (`src/api/README.md`). */
export const LIST_PARAMETERS = {
  sourceChainSelectors: parameter({
    name: 'sourceChainSelectors',
    description: 'Only these source chains, separated by commas. Absent or empty: all.',
    schema: selectors,
    kind: 'list',
    shown: 'input',
  }),
  destChainSelectors: parameter({
    name: 'destChainSelectors',
    description: 'Only these destination chains, separated by commas. Absent or empty: all.',
    schema: selectors,
    kind: 'list',
    shown: 'input',
  }),
  start: parameter({
    name: 'start',
    description: 'First ingestion time, inclusive: RFC 3339 or unix milliseconds. Absent or empty: 0.',
    schema: time('up'),
    kind: 'single',
    shown: 'input',
  }),
  end: parameter({
    name: 'end',
    description:
      'Last ingestion time, inclusive: RFC 3339 or unix milliseconds. Absent or empty: everything stored until now.',
    schema: time('down'),
    kind: 'single',
    shown: 'input',
  }),
  limit: parameter({
    name: 'limit',
    description: 'Most records in the answer. 0 answers an empty map.',
    schema: whole(MAX_LIMIT),
    kind: 'single',
    shown: 'output',
    default: DEFAULT_LIMIT,
  }),
  offset: parameter({
    name: 'offset',
    description: 'Records to skip, in order of ingestion.',
    schema: whole(Number.MAX_SAFE_INTEGER),
    kind: 'single',
    shown: 'output',
    default: 0,
  }),
} as const;

/** A list request, read. Absent fields take the defaults of the storage interface. */
export interface ListRequest {
  readonly startMs?: number;
  readonly endMs?: number;
  readonly sourceChainSelectors?: readonly bigint[];
  readonly destChainSelectors?: readonly bigint[];
  /** 0 is possible here, unlike in a storage query. */
  readonly limit: number;
  readonly offset: number;
}

/** A decoded query string: a parameter given more than once is an array. */
export type QueryString = Readonly<Record<string, string | readonly string[] | undefined>>;

/**
 * Reads the parameters of a list. An empty value counts as absent: the generated Go client sends one for an empty
 * filter. Unknown parameters are ignored. Of a parameter given more than once the first counts, as in the Go indexer.
 * @throws InvalidArgumentError naming the parameter and the value to pass.
 */
export function parseListRequest(query: QueryString): ListRequest {
  const startMs = read(LIST_PARAMETERS.start, query);
  const endMs = read(LIST_PARAMETERS.end, query);
  const sourceChainSelectors = read(LIST_PARAMETERS.sourceChainSelectors, query);
  const destChainSelectors = read(LIST_PARAMETERS.destChainSelectors, query);
  return {
    ...(startMs !== undefined && { startMs }),
    ...(endMs !== undefined && { endMs }),
    ...(sourceChainSelectors && { sourceChainSelectors }),
    ...(destChainSelectors && { destChainSelectors }),
    limit: read(LIST_PARAMETERS.limit, query) ?? DEFAULT_LIMIT,
    offset: read(LIST_PARAMETERS.offset, query) ?? 0,
  };
}

/** The value of one parameter, or undefined when it is absent. */
export function read<T>(definition: QueryParameter<T>, query: QueryString): T | undefined {
  const given = query[definition.name];
  const text = typeof given === 'string' ? given : given?.[0];
  if (text === undefined || text === '') return undefined;
  const parsed = definition.schema.safeParse(definition.kind === 'list' ? text.split(',') : mendTime(text));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const hint = issue?.code === 'invalid_union' ? TIME_ERROR : issue?.message;
  throw new InvalidArgumentError(`bad ${definition.name}: ${hint}`);
}

/**
 * RFC 3339 as the schema wants it: `T` and `Z` may be lower case, and the `+` of an offset that was not percent-encoded
 * arrives as a space. Other text stays as it is.
 */
function mendTime(text: string): string {
  return /^\d{4}-/.test(text) ? text.toUpperCase().replace(/ (?=\d\d:\d\d$)/, '+') : text;
}
