import type { z } from 'zod';
import type * as schemas from '../../api/v2/answer-schemas.js';
import type * as figures from '../../api/v2/figure-schemas.js';

/** Answers of the API as its own schemas describe them. Every number that may exceed 53 bits is a string. */
export type Message = z.output<typeof schemas.message>;
export type MessageDetail = z.output<typeof schemas.messageAnswer>;
export type MessagePage = z.output<typeof schemas.messagesAnswer>;
export type Verification = z.output<typeof schemas.verification>;
export type Execution = z.output<typeof schemas.execution>;
export type TransactionAnswer = z.output<typeof schemas.transactionAnswer>;
export type LanesAnswer = z.output<typeof figures.lanesAnswer>;
export type LaneAnswer = z.output<typeof figures.laneAnswer>;
export type VerifiersAnswer = z.output<typeof figures.verifiersAnswer>;
export type StatsAnswer = z.output<typeof figures.statsAnswer>;
export type Lane = LanesAnswer['lanes'][number];

/** Windows of time up to now that figures are told for. */
export const WINDOWS = ['5m', '1h', '24h'] as const;
export type WindowName = (typeof WINDOWS)[number];
