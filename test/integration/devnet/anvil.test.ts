import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { type Anvil, type AnvilOptions, startAnvil } from '../../../scripts/devnet/anvil/anvil.js';
import { savedState } from '../../../scripts/devnet/anvil/anvil-state.js';
import { DevnetProcessError } from '../../../scripts/devnet/anvil/devnet-errors.js';
import { createJsonRpc } from '../../../scripts/devnet/anvil/json-rpc.js';
import { startTiedProcess } from '../../../scripts/devnet/anvil/tied-process.js';
import { createCommon } from '../../../src/core/common.js';
import { eventually } from '../../support/eventually.js';

const common = createCommon();
const running: { stop(): Promise<unknown> }[] = [];
const directory = mkdtempSync(join(tmpdir(), 'devnet-anvil-'));

async function anvil(options: Partial<AnvilOptions> = {}): Promise<Anvil> {
  const node = await startAnvil({ common, chainId: 1337, slotsInAnEpoch: 2, ...options });
  running.push(node);
  return node;
}

/** A zombie that nobody reaps yet does not count as alive. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return process.platform !== 'linux' || processStat(pid)?.state !== 'Z';
}

function processStat(pid: number): { state: string; processGroup: number } | null {
  try {
    const [state = '', , group] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
    return { state, processGroup: Number(group) };
  } catch {
    return null;
  }
}

afterEach(async () => {
  for (const node of running.splice(0)) await node.stop();
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('anvil', () => {
  it('has safe and finalized blocks at the distances that the epoch gives', async () => {
    const node = await anvil();
    const rpc = createJsonRpc(node.url);
    await rpc('anvil_mine', ['0xa']);
    const numbers = await Promise.all(
      ['latest', 'safe', 'finalized'].map(async (tag) => {
        const block = (await rpc('eth_getBlockByNumber', [tag, false])) as { number: string };
        return Number(block.number);
      }),
    );
    expect(numbers).toEqual([10, 8, 6]);
  });

  it('makes blocks by itself at an interval below a second', async () => {
    const rpc = createJsonRpc((await anvil({ mining: { everyMs: 50 } })).url);
    await eventually('five blocks', async () => Number(await rpc('eth_blockNumber')) >= 5);
  });

  it('continues the chain of its state file: same blocks, same receipts, same balances', async () => {
    const stateFile = join(directory, 'state.json');
    const first = await anvil({ stateFile });
    const rpc = createJsonRpc(first.url);
    const [from, to] = (await rpc('eth_accounts')) as string[];
    const hash = await rpc('eth_sendTransaction', [{ from, to, value: '0x7' }]);
    await rpc('anvil_mine', ['0x3']);
    const receipt = await rpc('eth_getTransactionReceipt', [hash]);
    const blocks = await Promise.all([0, 1, 4].map((n) => rpc('eth_getBlockByNumber', [`0x${n}`, false])));
    await first.stop();

    const again = createJsonRpc((await anvil({ stateFile })).url);
    expect(await again('eth_blockNumber')).toBe('0x4');
    expect(await again('eth_getTransactionReceipt', [hash])).toEqual(receipt);
    expect(await Promise.all([0, 1, 4].map((n) => again('eth_getBlockByNumber', [`0x${n}`, false])))).toEqual(blocks);
    expect(await again('eth_getTransactionCount', [from, 'latest'])).toBe('0x1');
  });

  it('tells a state that was saved from one that a killed node could not save', async () => {
    const stateFile = join(directory, 'saved.json');
    expect(await savedState(common, stateFile)).toBe('none');
    const first = await anvil({ stateFile });
    await first.stop();
    expect(await savedState(common, stateFile)).toBe('current');
    const second = await anvil({ stateFile });
    process.kill(second.pid, 'SIGKILL');
    await second.exited;
    expect(await savedState(common, stateFile)).toBe('stale');
  });

  it('says that the port is taken', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await expect(anvil({ port })).rejects.toThrow(DevnetProcessError);
    await expect(anvil({ port })).rejects.toThrow(/port \d+ is taken/);
    await new Promise((resolve) => server.close(resolve));
  });

  it('reports what the program printed when it refuses to start', async () => {
    await expect(anvil({ extraArgs: ['--no-such-option'] })).rejects.toThrow(/no-such-option/);
  });

  it.skipIf(process.platform !== 'linux')(
    'leads a session of its own, so that Ctrl-C in the terminal does not reach it',
    async () => {
      const node = await anvil();
      expect(processStat(node.pid)?.processGroup).toBe(node.pid);
    },
  );

  it('dies with its parent on kill -9, and has saved its state', async () => {
    const stateFile = join(directory, 'killed.json');
    const script = `
      import { createCommon } from './src/core/common.js';
      import { startAnvil } from './scripts/devnet/anvil/anvil.js';
      const stateFile = ${JSON.stringify(stateFile)};
      const node = await startAnvil({ common: createCommon(), chainId: 1337, slotsInAnEpoch: 2, stateFile });
      await fetch(node.url, { method: 'POST', headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'anvil_mine', params: ['0x5'] }) });
      console.log(node.pid);
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      cwd: join(import.meta.dirname, '../../..'),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pid = Number(await firstLine(parent));
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    const rpc = createJsonRpc((await anvil({ stateFile })).url);
    expect(isAlive(pid)).toBe(false); // a node that starts on the same state waits for the one before
    expect(await rpc('eth_blockNumber')).toBe('0x5');
  });
});

describe.each(['pdeathsig', 'pipe'] as const)('a process tied by %s', (tie) => {
  it.skipIf(tie === 'pdeathsig' && process.platform !== 'linux')('ends when its parent is killed', async () => {
    const script = `
      import { systemClock } from './src/core/clock.js';
      import { startTiedProcess } from './scripts/devnet/anvil/tied-process.js';
      const child = await startTiedProcess('sleep', ['600'], systemClock, '${tie}');
      console.log(child.pid);
      setInterval(() => {}, 1000);`;
    const parent = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
      cwd: join(import.meta.dirname, '../../..'),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const pid = Number(await firstLine(parent));
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    await eventually('the child to be gone', () => !isAlive(pid));
  });

  it('reports exit and output, and ends on stop', async () => {
    const failed = await startTiedProcess('sh', ['-c', 'echo first; echo second >&2; exit 3'], common.clock, tie);
    expect(await failed.exited).toEqual({ code: 3, signal: null });
    expect(failed.output()).toMatch(/first/);
    expect(failed.output()).toMatch(/second/);
    const sleeper = await startTiedProcess('sleep', ['600'], common.clock, tie);
    expect(await sleeper.stop(5_000)).toEqual({ code: null, signal: 'SIGTERM' });
    expect(isAlive(sleeper.pid)).toBe(false);
  });
});

async function firstLine(child: ChildProcess): Promise<string> {
  let text = '';
  for await (const chunk of child.stdout ?? []) {
    text += chunk;
    if (text.includes('\n')) break;
  }
  return text.trim();
}
