import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { nameProcess } from '../../../src/indexer/workers/process-name.js';

test('a process of this place is known to have ended, and no other', async () => {
  const own = nameProcess(Math.random);
  expect(nameProcess(Math.random).member).not.toBe(own.member);
  expect(own.hasEnded(own.member)).toBe(false);

  const child = spawn(process.execPath, ['-e', 'process.stdin.resume()']);
  const name = own.member.replace(`:${process.pid}:`, `:${child.pid}:`);
  expect(name).not.toBe(own.member);
  expect(own.hasEnded(name)).toBe(false);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(own.hasEnded(name)).toBe(true);

  // its place is another machine, another boot or another container
  const elsewhere = name.replace(/[0-9a-f]{16}$/, (digits) => `${digits[0] === '0' ? '1' : '0'}${digits.slice(1)}`);
  expect(own.hasEnded(elsewhere)).toBe(false);
  expect(own.hasEnded('worker-7')).toBe(false);
});
