import { expect, it } from 'vitest';
import type { ProcessStatus } from '../../../src/cli/status/process-status.js';
import { statusScreen } from '../../../src/cli/status/screen.js';

const STATUS: ProcessStatus = {
  ...{ version: '1.2.3', commit: '0123456789abcdef', role: 'worker' },
  ...{ startedAt: '2026-01-01T00:00:00.000Z', now: '2026-01-01T02:05:00.000Z' },
  counts: { messages: { unavailable: 'TOO_SLOW' }, verifierResults: 1_234_567 },
  tiers: [
    {
      ...{ name: 'warm', role: 'leader', state: null, lag: null },
      health: { healthy: false, reason: 'connection refused' },
    },
    {
      ...{ name: 'cold', role: 'follower', state: 'behind', lag: { positions: '12000', ms: null } },
      health: { healthy: true, reason: null },
    },
  ],
  workers: { unavailable: 'STORAGE_UNAVAILABLE' },
  sources: [
    {
      ...{ name: 'a', state: 'running' },
      watcher: {
        ...{ state: 'halted', head: 12, processed: null, lagMs: null, problem: null },
        ...{ lastError: { code: 'FINALIZED_REORG' }, rpc: [{ state: 'ready' }, { state: 'failing' }] },
      },
    },
  ],
  scheduler: {
    ...{ tasks: { ready: 1, running: 2, waiting: 3 }, overflowed: true },
    verifiers: [{ name: 'v', circuit: 'open', lastSuccessMs: null, lastError: 'answered 500' }],
  },
};

it('the screen says of each part that is away, late or halted what is wrong with it', () => {
  expect(statusScreen(STATUS, 'http://127.0.0.1:8101')).toEqual([
    'http://127.0.0.1:8101: worker, 1.2.3 (0123456789ab), up 2 h 5 min',
    '? (TOO_SLOW) messages, 1 234 567 verifier results',
    '',
    'tiers',
    '  warm  leader    away: connection refused',
    '  cold  follower  behind                    behind 12 000 positions, for an unknown time',
    '',
    'chains',
    '  a  halted  head 12  stored -  ? old  1 of 2 nodes  FINALIZED_REORG',
    '',
    'verifiers',
    '  v  circuit open  no result yet  answered 500',
    '',
    'unfinished messages: 2 asked for now, 1 due, 3 later; more wait in the database',
    '',
    'workers: not to be had: STORAGE_UNAVAILABLE',
  ]);
});
