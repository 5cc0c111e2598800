import { z } from 'zod';
import { LIST_PARAMETERS } from '../list-parameters.js';
import { MESSAGE_ID_PATTERN } from '../message-id.js';
import type { RouteDefinition } from '../routes/route-definition.js';
import { messagesAnswer, verifierResultsAnswer, verifierResultsByIdAnswer } from './answer-schemas.js';

const LIST = Object.values(LIST_PARAMETERS);
const NONE = { pathParameters: [], queryParameters: [] } as const;

/** The routes of this version, and those of no version. */
export type RouteId = 'health' | 'ready' | 'verifierResults' | 'verifierResultsById' | 'messages' | 'openapi';

/** Every route, in the order of the document. */
export const ROUTES: readonly RouteDefinition<RouteId>[] = [
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
