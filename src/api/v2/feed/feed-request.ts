import { z } from 'zod';
import { InvalidArgumentError } from '../../../core/errors.js';
import { type QueryParameter, type QueryString, read, whole } from '../../list-parameters.js';
import { requireKnown } from '../message-parameters.js';
import { createLaneShare, type LaneShare } from './lane-share.js';

/** The kinds of change that belong to a lane: those that the feed tells. */
export const FEED_KINDS = ['message', 'verifierResult', 'execution'] as const;

export type FeedKind = (typeof FEED_KINDS)[number];

const MAX_POSITION = 2n ** 63n - 1n;
const MAX_MEMBERS = 1_000;
const MAX_PAGE = 500;
const DEFAULT_PAGE = 100;

const position = z
  .string()
  .regex(/^\d{1,19}$/, { error: 'must be a position', abort: true })
  .transform(BigInt)
  .refine((value) => value <= MAX_POSITION, { error: `must be a position, at most ${MAX_POSITION}` });

const lanes = z.array(
  z
    .string()
    .regex(/^\d{1,20}-\d{1,20}$/, { error: 'must be lanes (source selector-dest selector) separated by commas' }),
);

const parameter = <T>(definition: QueryParameter<T>): QueryParameter<T> => definition;

/** The parameters of the feed (`src/api/README.md`). */
export const FEED_PARAMETERS = {
  after: parameter({
    name: 'after',
    description: 'Only changes after this position. Absent: from the beginning for a page, from now on for events.',
    schema: position,
    ...{ kind: 'single', shown: 'input' },
  }),
  kinds: parameter<FeedKind[]>({
    name: 'kinds',
    description: 'Only changes of these kinds, separated by commas. Absent or empty: all.',
    schema: z.array(z.enum(FEED_KINDS, { error: `must be ${FEED_KINDS.join(', ')}` })),
    ...{ kind: 'list', shown: 'input' },
  }),
  lanes: parameter({
    name: 'lanes',
    description: 'Only changes of these lanes, each as source-dest, separated by commas. Absent or empty: all.',
    schema: lanes,
    ...{ kind: 'list', shown: 'input' },
  }),
  member: parameter({
    name: 'member',
    description: 'Number of the reader in its group, from 0: it gets the lanes whose hash, modulo size, is this.',
    schema: whole(MAX_MEMBERS - 1),
    ...{ kind: 'single', shown: 'output' },
  }),
  size: parameter({
    name: 'size',
    description: 'Readers of the group.',
    schema: whole(MAX_MEMBERS, 1),
    ...{ kind: 'single', shown: 'output' },
  }),
  limit: parameter({
    ...{ name: 'limit', description: 'Most changes of a page.', schema: whole(MAX_PAGE, 1), default: DEFAULT_PAGE },
    ...{ kind: 'single', shown: 'output' },
  }),
} as const;

/** A reader's question, read. */
export interface FeedRequest {
  /** Null: not said. */
  readonly after: bigint | null;
  readonly limit: number;
  readonly filter: FeedFilter;
}

/** The changes that a reader wants. */
export interface FeedFilter {
  readonly kinds: ReadonlySet<string>;
  /** By name, `source-dest`; null: all. */
  readonly lanes: ReadonlySet<string> | null;
  /** Null: the reader has no group. */
  readonly share: LaneShare | null;
}

/**
 * `lastEventId`: the header of a reader that comes back; it counts before `after`.
 * @throws InvalidArgumentError naming the parameter and the value to pass.
 */
export function parseFeedRequest(text: QueryString, lastEventId: string | undefined): FeedRequest {
  requireKnown(text, Object.keys(FEED_PARAMETERS));
  const P = FEED_PARAMETERS;
  const member = read(P.member, text);
  const size = read(P.size, text);
  if ((member === undefined) !== (size === undefined) || (member ?? 0) >= (size ?? 1))
    throw new InvalidArgumentError('bad member: pass member and size together, member from 0 to size - 1');
  const resumed = lastEventId === undefined ? undefined : read(P.after, { after: lastEventId });
  const wanted = read(P.lanes, text);
  return {
    after: resumed ?? read(P.after, text) ?? null,
    limit: read(P.limit, text) ?? DEFAULT_PAGE,
    filter: {
      kinds: new Set(read(P.kinds, text) ?? FEED_KINDS),
      lanes: wanted ? new Set(wanted.map(canonicalLane)) : null,
      share: member === undefined || size === undefined ? null : createLaneShare(member, size),
    },
  };
}

function canonicalLane(text: string): string {
  return text.split('-').map(BigInt).join('-');
}
