import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, it } from 'vitest';
import { processesOf } from '../../support/s3/server-processes.js';

it('leaves no process behind when the one that started it is killed', async () => {
  const starter = join(import.meta.dirname, '../../support/s3/server-starter.ts');
  const runner = spawn(process.execPath, ['--import', 'tsx', starter], { stdio: ['pipe', 'pipe', 'inherit'] });
  const endpoint = await new Promise<string>((resolve) => createInterface(runner.stdout).once('line', resolve));
  const host = new URL(endpoint).hostname;
  const before = await processesOf(host);
  expect(before.map(({ program }) => program).sort()).toEqual(['ceph-mon', 'ceph-osd', 'radosgw']);
  runner.kill('SIGKILL');
  await once(runner, 'exit');
  await expect.poll(() => processesOf(host)).toEqual([]);
  await rm(before[0]!.directory, { recursive: true, force: true });
});
