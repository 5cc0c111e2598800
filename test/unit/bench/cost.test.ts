import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { measureCost, medianCost } from '../../../scripts/bench/cost.js';
import { formatSelfTimes } from '../../../scripts/bench/profile.js';
import { formatCosts } from '../../../scripts/bench/table.js';

const burn = (ms: number) => `while (process.cpuUsage().user + process.cpuUsage().system < ${ms * 1_000});`;

test('the cost of an operation holds the CPU time of a server, and of its children that run and that ended', async () => {
  // the second grandchild waits after its work, until it is killed
  const script = `
    const { spawn, spawnSync } = require('node:child_process');
    process.stdin.once('data', () => {
      ${burn(300)}
      spawnSync(process.execPath, ['-e', ${JSON.stringify(burn(300))}]);
      const last = spawn(process.execPath, ['-e', ${JSON.stringify(`${burn(300)}console.log('done');setInterval(() => {}, 1e6)`)}]);
      last.stdout.once('data', () => process.stdout.write('done'));
      process.stdin.once('data', () => { last.kill(); process.exit(); });
    });`;
  const server = spawn(process.execPath, ['-e', script], { stdio: ['pipe', 'pipe', 'inherit'] });
  const cost = await measureCost('a server', server.pid!, async () => {
    server.stdin.write('go');
    await once(server.stdout, 'data');
    return 2;
  });
  server.stdin.write('stop');
  await once(server, 'exit');
  // ticks of 10 ms are cut off at each of the three
  expect(cost.postgresUs! * 2).toBeGreaterThan(700_000);
  expect(cost.nodeUs).toBeGreaterThan(0);
});

test('medians are of each part, and an aim is met by both', () => {
  const costs = [
    { nodeUs: 1, postgresUs: 30 },
    { nodeUs: 3, postgresUs: 10 },
    { nodeUs: 2, postgresUs: 20 },
  ];
  expect(medianCost(costs)).toEqual({ nodeUs: 2, postgresUs: 20 });
  expect(medianCost([{ nodeUs: 5, postgresUs: null }])).toEqual({ nodeUs: 5, postgresUs: null });
  const table = formatCosts([
    { what: 'within', nodeUs: 60, postgresUs: 20, aim: { nodeUs: 60, postgresUs: 20 }, note: '' },
    { what: 'beyond', nodeUs: 1_234.4, postgresUs: 20.1, aim: { nodeUs: 2_000, postgresUs: 20 }, note: '' },
    { what: 'alone', nodeUs: 1, postgresUs: null, aim: { nodeUs: 1, postgresUs: null }, note: '' },
    { what: 'none', nodeUs: 1, postgresUs: 1, aim: null, note: '' },
  ]);
  expect(table.split('\n').slice(2)).toEqual([
    'within         60.0          20.0  ≤ 60 + 20    yes',
    'beyond        1,234          20.1  ≤ 2000 + 20   NO',
    'alone           1.0                ≤ 1          yes',
    'none            1.0           1.0',
  ]);
});

test('a summary of a profile names the functions with the most time of their own, without idle time', () => {
  const frame = (functionName: string, url = '') => ({
    functionName,
    url,
    scriptId: '0',
    lineNumber: 6,
    columnNumber: 0,
  });
  const summary = formatSelfTimes({
    startTime: 0,
    endTime: 0,
    nodes: [
      { id: 1, callFrame: frame('(idle)') },
      { id: 2, callFrame: frame('encode', 'file:///project/src/sink/merge.js') },
      { id: 3, callFrame: frame('encode', 'file:///project/src/sink/merge.js') },
      { id: 4, callFrame: frame('(garbage collector)') },
    ],
    samples: [1, 2, 3, 3, 4, 4],
    // another process ran before the last one
    timeDeltas: [900, 20, 20, 20, 20, 9_000],
  });
  expect(summary).toBe('  60.0 %  encode sink/merge.js:7\n  40.0 %  (garbage collector)');
});
