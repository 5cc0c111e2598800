import { z } from 'zod';
import { LIST_PARAMETERS, type QueryParameter } from '../list-parameters.js';
import { MESSAGE_ID_PATTERN } from '../message-id.js';
import { messagesAnswer, verifierResultsAnswer, verifierResultsByIdAnswer } from './answer-schemas.js';

/** A route of the query API, for the server and for the OpenAPI document. */
export interface RouteDefinition {
  readonly id: 'health' | 'ready' | 'verifierResults' | 'verifierResultsById' | 'messages' | 'openapi';
  /** Path in Fastify's notation. */
  readonly path: string;
  readonly summary: string;
  readonly pathParameters: readonly {
    readonly name: string;
    readonly description: string;
    readonly schema: z.ZodType;
  }[];
  readonly queryParameters: readonly QueryParameter<unknown>[];
  /** Body of a 200; null: none. */
  readonly answer: z.ZodType | null;
  /** Statuses with the error body, beside those of requests that are refused before their route. */
  readonly errors: readonly number[];
  /** Never rate limited. */
  readonly exempt: boolean;
  /** Whether answers that are known whole have an entity tag. */
  readonly isTagged?: boolean;
}

const LIST = Object.values(LIST_PARAMETERS);
const NONE = { pathParameters: [], queryParameters: [] } as const;

/** Every route, in the order of the document. */
export const ROUTES: readonly RouteDefinition[] = [
  { id: 'health', path: '/health', summary: 'The process runs.', ...NONE, answer: null, errors: [], exempt: true },
  {
    id: 'ready',
    path: '/ready',
    summary: 'Storage answers, and no chain is impossible to read as configured.',
    ...NONE,
    answer: null,
    errors: [503],
    exempt: true,
  },
  {
    id: 'verifierResults',
    path: '/v1/verifierresults',
    summary: 'Verifier results by ingestion time, ascending, grouped by message id.',
    pathParameters: [],
    queryParameters: LIST,
    answer: verifierResultsAnswer,
    errors: [400, 429, 500, 503],
    exempt: false,
  },
  {
    id: 'verifierResultsById',
    path: '/v1/verifierresults/:messageID',
    summary: 'All verifier results of one message. 404 until there is one, also for a message that is already known.',
    pathParameters: [
      {
        name: 'messageID',
        description: 'Up to 32 bytes of hex, with or without 0x; fewer are padded on the left.',
        schema: z.string().regex(new RegExp(MESSAGE_ID_PATTERN)),
      },
    ],
    queryParameters: [],
    answer: verifierResultsByIdAnswer,
    errors: [400, 404, 429, 500, 503],
    exempt: false,
    isTagged: true,
  },
  {
    id: 'messages',
    path: '/v1/messages',
    summary: 'Messages by ingestion time, ascending.',
    pathParameters: [],
    queryParameters: LIST,
    answer: messagesAnswer,
    errors: [400, 429, 500, 503],
    exempt: false,
  },
  {
    id: 'openapi',
    path: '/openapi.json',
    summary: 'This document.',
    ...NONE,
    answer: z.looseObject({ openapi: z.literal('3.1.0') }),
    errors: [429],
    exempt: false,
  },
];

/** True when some route answers for this path, whatever the method. */
export function isKnownPath(path: string): boolean {
  return KNOWN.some((pattern) => pattern.test(path));
}

const KNOWN = ROUTES.map((route) => new RegExp(`^${route.path.replace(/:[A-Za-z]+/, '[^/]*')}$`));
