import { z } from 'zod';
import { MESSAGE_ID_PATTERN } from '../message-id.js';
import type { RouteDefinition } from '../routes/route-definition.js';
import { messageAnswer, messagesAnswer, transactionAnswer } from './answer-schemas.js';
import { statsAnswer, verifiersAnswer } from './figure-schemas.js';
import { MESSAGE_PARAMETERS } from './message-parameters.js';
import { TRANSACTION_HASH_PATTERN } from './transactions.js';

export type RouteId = 'messagesV2' | 'messageV2' | 'transactionV2' | 'verifiersV2' | 'statsV2';

/** Every route of this version, in the order of the document. */
export const ROUTES: readonly RouteDefinition<RouteId>[] = [
  {
    id: 'messagesV2',
    path: '/v2/messages',
    summary: 'Messages by ingestion time, newest or oldest first, by sender, receiver, token, lane, number and status.',
    pathParameters: [],
    queryParameters: Object.values(MESSAGE_PARAMETERS),
    answer: messagesAnswer,
    errors: [400, 429, 500, 503],
    exempt: false,
  },
  {
    id: 'messageV2',
    path: '/v2/messages/:messageID',
    summary: 'One message with its verifications and executions, also one that a reorg removed.',
    pathParameters: [
      {
        name: 'messageID',
        description: 'Up to 32 bytes of hex, with or without 0x; fewer are padded on the left.',
        schema: z.string().regex(new RegExp(MESSAGE_ID_PATTERN)),
      },
    ],
    queryParameters: [],
    answer: messageAnswer,
    errors: [400, 404, 429, 500, 503],
    exempt: false,
  },
  {
    id: 'transactionV2',
    path: '/v2/transactions/:transactionHash',
    summary: 'The messages that a transaction sent and the executions that it made.',
    pathParameters: [
      {
        name: 'transactionHash',
        description: 'Hash of a transaction of any chain: hex, with or without 0x.',
        schema: z.string().regex(new RegExp(TRANSACTION_HASH_PATTERN)),
      },
    ],
    queryParameters: [],
    answer: transactionAnswer,
    errors: [400, 404, 429, 500, 503],
    exempt: false,
  },
  {
    id: 'verifiersV2',
    path: '/v2/verifiers',
    summary: 'Verifiers: their answers and latency, the messages that wait for them, their breakers at each worker.',
    pathParameters: [],
    queryParameters: [],
    answer: verifiersAnswer,
    errors: [400, 429, 500, 503],
    exempt: false,
  },
  {
    id: 'statsV2',
    path: '/v2/stats',
    summary: 'Totals of messages, verifications, executions, lanes and gaps, and the events of all lanes.',
    pathParameters: [],
    queryParameters: [],
    answer: statsAnswer,
    errors: [400, 429, 500, 503],
    exempt: false,
  },
];
