import type { z } from 'zod';
import type { Hex } from '../../core/hex.js';
import { WINDOWS, type WindowName } from '../../lanes/event-windows.js';
import type { LaneBoard } from '../../lanes/lane-board.js';
import { waitingFor } from '../../lanes/lane-views.js';
import { formatRfc3339 } from '../../protocol/rfc3339.js';
import { HttpError } from '../http/http-error.js';
import type * as schemas from './figure-schemas.js';
import { comparable, type KnownVerifier } from './verifiers.js';

type Answer = z.infer<typeof schemas.verifiersAnswer>;
type Verifier = Answer['verifiers'][number];

/** @throws HttpError when nothing tells the verifiers of the namespace. */
export function verifiersOf(known: readonly KnownVerifier[] | null, board: LaneBoard, nowMs: number): Answer {
  if (known === null) throw new HttpError(503, 'no worker tells this process of its verifiers');
  return { verifiers: known.map((verifier) => verifierOf(verifier, board, nowMs)), position: String(board.position) };
}

function verifierOf({ name, addresses, workers }: KnownVerifier, board: LaneBoard, nowMs: number): Verifier {
  const served = new Set(addresses.map(comparable));
  const { messages, oldestSentMs } = waitingFor(board, (address: Hex) => served.has(comparable(address)));
  const events = board.verifiers.of(name);
  const byWindow = <T>(of: (window: WindowName) => T) =>
    Object.fromEntries(WINDOWS.map((window) => [window, of(window)])) as Record<WindowName, T>;
  return {
    name,
    addresses: [...addresses],
    answered: byWindow((window) => events.window(window, nowMs)[0]?.count ?? 0),
    latency: byWindow((window) => events.window(window, nowMs)[0]?.durations ?? NO_DURATIONS),
    waiting: messages,
    oldestWaitingAt: oldestSentMs === null ? null : formatRfc3339(oldestSentMs),
    workers: workers.map(({ worker, breaker, failures, seenMs }) => ({
      ...{ worker, breaker, failures, seenAt: formatRfc3339(seenMs) },
    })),
  };
}

const NO_DURATIONS = { count: 0, p50Ms: null, p95Ms: null, p99Ms: null };
