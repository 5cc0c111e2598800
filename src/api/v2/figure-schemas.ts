import { z } from 'zod';
import { bytes, count, decimal, milliseconds, time } from './schema-values.js';

/* Schemas of the answers that tell figures: lanes, verifiers, stats. See `answer-schemas.ts`. */

export const durations = z
  .strictObject({ count, p50Ms: milliseconds, p95Ms: milliseconds, p99Ms: milliseconds })
  .describe('Percentiles are off by 4.5 % at most; null: there is none.');

const laneEvents = {
  sent: count.describe('By the time of their block, else of their first ingestion.'),
  verified: count.describe('By the ingestion of the last result that was needed.'),
  executed: count.describe('By the time of the block of a successful execution.'),
  sentToVerified: durations,
  sentToExecuted: durations,
};

/** The events of a lane in a window of time up to now. */
export const laneWindow = z.strictObject(laneEvents);

export const laneWindows = z.strictObject({ '5m': laneWindow, '1h': laneWindow, '24h': laneWindow });

const laneGap = z.strictObject({
  fromNumber: decimal,
  throughNumber: decimal,
  since: time.describe('Ingestion of the first message above it.'),
  askedAt: time.nullable().describe('When its messages were last asked for again; null: not yet.'),
  timesAsked: count,
});

const laneFields = {
  sourceChainSelector: decimal,
  destChainSelector: decimal,
  onRamps: z.array(
    z.strictObject({
      address: bytes,
      firstNumber: decimal,
      highestNumber: decimal,
      contiguousNumber: decimal.describe('The last number before the first gap.'),
      missing: decimal.describe('Numbers in all gaps.'),
      gaps: z.array(laneGap).max(100).describe('Those of the lowest numbers first.'),
    }),
  ),
  waiting: z.strictObject({
    messages: count.describe('Messages that wait for a verification.'),
    timedOut: count.describe('Those among them that were given up.'),
    byCCV: z.array(z.strictObject({ address: bytes, messages: count, oldestSentAt: time })).max(100),
  }),
  windows: laneWindows,
};

/** A pair of chains, each OnRamp of which numbers its messages from 1. */
export const lane = z.strictObject(laneFields);

/** `GET /v2/lanes` */
export const lanesAnswer = z.strictObject({
  lanes: z.array(lane),
  position: decimal.describe('Every change up to this position is counted.'),
});

/** `GET /v2/lanes/{lane}` */
export const laneAnswer = z.strictObject({
  ...laneFields,
  series: z
    .array(z.strictObject({ startsAt: time, ...laneEvents }))
    .describe('The last 24 hours by five minutes; those without events are left out.'),
  position: decimal,
});

export const verifier = z.strictObject({
  name: z.string(),
  addresses: z.array(bytes).describe('The CCVs on their source chain that it answers for.'),
  answered: z.strictObject({ '5m': count, '1h': count, '24h': count }).describe('Results that were stored.'),
  latency: z
    .strictObject({ '5m': durations, '1h': durations, '24h': durations })
    .describe('From the first ingestion of a message to that of the result.'),
  waiting: count.describe('Messages that miss the result of one of its CCVs.'),
  oldestWaitingAt: time.nullable().describe('When the oldest of them was sent.'),
  workers: z
    .array(
      z.strictObject({
        worker: z.string(),
        breaker: z.enum(['closed', 'open', 'half-open']).describe('open: it failed too often and is left alone.'),
        failures: count.describe('Requests that failed since the last that did not.'),
        seenAt: time.describe('When the worker said so.'),
      }),
    )
    .describe('The processes that ask it.'),
});

/** `GET /v2/verifiers` */
export const verifiersAnswer = z.strictObject({
  verifiers: z.array(verifier).describe('Those that the workers are configured with.'),
  position: decimal.describe('Every change up to this position is counted.'),
});

/** `GET /v2/stats` */
export const statsAnswer = z.strictObject({
  position: decimal.describe('Every change up to this position is counted.'),
  messages: z.strictObject({
    total: decimal.describe('Those that lists show.'),
    processing: decimal.describe('A verification is waited for.'),
    success: decimal.describe('Verified.'),
    timeout: decimal.describe('Given up.'),
    orphaned: decimal.describe('A reorg removed them, and they have not come back; counted up to 100 000.'),
  }),
  verifications: z.strictObject({ total: decimal.describe('Counted at most 10 s before.') }),
  executions: z.strictObject({ total: decimal, success: decimal, failure: decimal }),
  lanes: count,
  gaps: count,
  windows: laneWindows.describe('The events of all lanes.'),
});
