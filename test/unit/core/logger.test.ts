import { afterEach, expect, test, vi } from 'vitest';
import { createLogger } from '../../../src/core/logger.js';

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

test('pretty logs have the time in UTC, with its date and zone, wherever the process runs', () => {
  vi.stubEnv('TZ', 'Asia/Kathmandu');
  const written: string[] = [];
  vi.spyOn(process.stderr, 'write').mockImplementation((chunk, ...rest) => {
    written.push(String(chunk));
    for (const done of rest) if (typeof done === 'function') done();
    return true;
  });
  const beforeMs = Date.now();
  createLogger({ level: 'info', format: 'pretty' }).info({ chain: 'a' }, 'range indexed');
  const [, time = ''] = /^\[(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)\]/.exec(written.join('')) ?? [];
  expect(new Date(time).getTime()).toBeGreaterThanOrEqual(beforeMs);
  expect(new Date(time).getTime()).toBeLessThanOrEqual(Date.now());
  expect(written.join('')).toMatch(/INFO.*: range indexed\n +chain: "a"\n/);
});
