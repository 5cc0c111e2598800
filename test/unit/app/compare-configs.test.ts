import { expect, it } from 'vitest';
import { compareConfigs, configInUse } from '../../../src/app/reload/compare-configs.js';
import { parseConfig } from '../../../src/config/load.js';

const STORAGE = { Strategy: 'single', Single: { Type: 'memory' } };
const verifier = (Name: string) => ({ Type: 'rest', Name, BaseURL: 'https://verifier.acme.io', IssuerAddresses: [] });
const config = (more: Record<string, unknown>) => parseConfig({ Storage: STORAGE, ...more }, 'test');

it('tells apart keys that a process takes over and keys that need a restart', () => {
  const used = config({ Verifier: [verifier('a')], Log: { Level: 'info' } });
  const next = config({
    Verifier: [verifier('a'), verifier('b')],
    Log: { Level: 'warn', Format: 'json' },
    Pool: { ConcurrentWorkers: 7 },
    API: { ListenPort: 9_000, RateLimit: { Enabled: true } },
  });
  const change = compareConfigs(used, next);
  expect(change).toEqual({
    indexer: ['Verifier[1]', 'Pool.ConcurrentWorkers'],
    ...{ logLevel: true, rateLimit: false },
    restart: ['API.ListenPort', 'API.RateLimit.Enabled', 'Log.Format'],
  });
  // those that need a restart are told again each time
  const again = compareConfigs(configInUse(used, next, change), next);
  expect(again).toEqual({ indexer: [], logLevel: false, rateLimit: false, restart: change.restart });
});

it('takes over a limit where there was one', () => {
  const limited = (Enabled: boolean, RequestsPerSecond: number) =>
    config({ API: { RateLimit: { Enabled, RequestsPerSecond } } });
  for (const next of [limited(true, 9), limited(false, 50)]) {
    const change = compareConfigs(limited(true, 50), next);
    expect(change).toEqual({ indexer: [], logLevel: false, rateLimit: true, restart: [] });
    expect(configInUse(limited(true, 50), next, change)).toEqual(next);
  }
});
