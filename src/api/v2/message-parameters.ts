import { z } from 'zod';
import { InvalidArgumentError } from '../../core/errors.js';
import type { Hex } from '../../core/hex.js';
import type { MessageListQuery } from '../../model/list-query.js';
import { MESSAGE_STATUSES, type MessageStatus } from '../../model/status.js';
import { LIST_PARAMETERS, type QueryParameter, type QueryString, read, whole } from '../list-parameters.js';

const ADDRESS_BYTES = 20;
const PADDED_BYTES = 32;
const MAX_NUMBER = 2n ** 64n - 1n;
const MAX_LIMIT = 500;
const DEFAULT_LIMIT = 50;

const addresses = z.array(
  z
    .string()
    .regex(/^0[xX](?:[0-9a-fA-F]{2}){0,255}$/, {
      error: 'must be addresses (0x and hex) separated by commas',
      abort: true,
    })
    .transform((text) => text.toLowerCase() as Hex),
);

const number = z
  .string()
  .regex(/^\d{1,20}$/, { error: 'must be a message number', abort: true })
  .transform(BigInt)
  .refine((value) => value <= MAX_NUMBER, { error: `must be a message number, at most ${MAX_NUMBER}` });

const parameter = <T>(definition: QueryParameter<T>): QueryParameter<T> => definition;

/** The parameters of the list of messages (`src/api/README.md`). */
export const MESSAGE_PARAMETERS = {
  sender: addressParameter('sender', 'Only of these senders. 20 bytes name the address padded to 32 bytes as well.'),
  receiver: addressParameter('receiver', 'Only to these receivers.'),
  token: addressParameter(
    'token',
    'Only with a transfer of these tokens of the source chain. 20 bytes name the address padded to 32 bytes as well.',
  ),
  source: { ...LIST_PARAMETERS.sourceChainSelectors, name: 'source' },
  dest: { ...LIST_PARAMETERS.destChainSelectors, name: 'dest' },
  fromNumber: parameter({
    ...{ name: 'fromNumber', description: 'Lowest message number.', schema: number },
    ...{ kind: 'single', shown: 'input' },
  }),
  throughNumber: parameter({
    ...{ name: 'throughNumber', description: 'Highest message number.', schema: number },
    ...{ kind: 'single', shown: 'input' },
  }),
  status: parameter<MessageStatus[]>({
    name: 'status',
    description: 'Only messages of these statuses, separated by commas.',
    schema: z.array(z.enum(MESSAGE_STATUSES, { error: `must be ${MESSAGE_STATUSES.join(', ')}` })),
    ...{ kind: 'list', shown: 'input' },
  }),
  start: LIST_PARAMETERS.start,
  end: LIST_PARAMETERS.end,
  order: parameter<'newest' | 'oldest'>({
    name: 'order',
    description: 'Which messages come first, by ingestion time. Absent or empty: newest.',
    schema: z.enum(['newest', 'oldest'], { error: 'must be newest or oldest' }),
    ...{ kind: 'single', shown: 'input' },
  }),
  contiguous: parameter({
    name: 'contiguous',
    description:
      'true: only messages at or below the contiguous number of their OnRamp, so that none below them is missing.',
    schema: z.enum(['true', 'false'], { error: 'must be true or false' }).transform((text) => text === 'true'),
    ...{ kind: 'single', shown: 'input' },
  }),
  cursor: parameter({
    name: 'cursor',
    description: 'nextCursor of the page before; the other parameters must be the same.',
    schema: z.string(),
    ...{ kind: 'single', shown: 'input' },
  }),
  limit: parameter({
    ...{
      name: 'limit',
      description: 'Most messages in the answer.',
      schema: whole(MAX_LIMIT, 1),
      default: DEFAULT_LIMIT,
    },
    ...{ kind: 'single', shown: 'output' },
  }),
} as const;

/** A question about messages, read. */
export interface MessagesRequest {
  readonly query: Omit<MessageListQuery, 'limit' | 'offset' | 'cursor' | 'maxBytes'>;
  readonly order: 'newest' | 'oldest';
  /** Null: of any status. */
  readonly statuses: ReadonlySet<MessageStatus> | null;
  /** Only messages below which none of their OnRamp is missing. */
  readonly contiguous: boolean;
  readonly cursor: string | undefined;
  readonly limit: number;
}

/** @throws InvalidArgumentError naming the parameter and the value to pass; an unknown parameter too. */
export function parseMessagesRequest(text: QueryString): MessagesRequest {
  requireKnown(text, Object.keys(MESSAGE_PARAMETERS));
  const P = MESSAGE_PARAMETERS;
  const startMs = read(P.start, text);
  const endMs = read(P.end, text);
  const fromMessageNumber = read(P.fromNumber, text);
  const throughMessageNumber = read(P.throughNumber, text);
  const statuses = read(P.status, text);
  return {
    query: {
      ...(startMs !== undefined && { startMs }),
      ...(endMs !== undefined && { endMs }),
      sourceChainSelectors: read(P.source, text) ?? [],
      destChainSelectors: read(P.dest, text) ?? [],
      senders: (read(P.sender, text) ?? []).flatMap(withPadded),
      receivers: read(P.receiver, text) ?? [],
      tokens: (read(P.token, text) ?? []).flatMap(withPadded),
      ...(fromMessageNumber !== undefined && { fromMessageNumber }),
      ...(throughMessageNumber !== undefined && { throughMessageNumber }),
    },
    order: read(P.order, text) ?? 'newest',
    statuses: statuses && new Set(statuses).size < MESSAGE_STATUSES.length ? new Set(statuses) : null,
    contiguous: read(P.contiguous, text) ?? false,
    cursor: read(P.cursor, text),
    limit: read(P.limit, text) ?? DEFAULT_LIMIT,
  };
}

/** @throws InvalidArgumentError naming a parameter that the route does not have, and those that it has. */
export function requireKnown(text: QueryString, known: readonly string[]): void {
  const unknown = Object.keys(text).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const have = known.length === 0 ? 'this route has none' : `this route has ${known.join(', ')}`;
  throw new InvalidArgumentError(`unknown parameter ${JSON.stringify(unknown.slice(0, 50))}: ${have}`);
}

/** Messages of EVM chains have the addresses of their source padded on the left. */
function withPadded(address: Hex): Hex[] {
  if (address.length !== 2 + 2 * ADDRESS_BYTES) return [address];
  return [address, `0x${address.slice(2).padStart(2 * PADDED_BYTES, '0')}`];
}

function addressParameter(name: string, description: string): QueryParameter<Hex[]> {
  return { name, description: `${description} Separated by commas.`, schema: addresses, kind: 'list', shown: 'input' };
}
