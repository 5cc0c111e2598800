import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { anvilBinaryPath } from '../../../scripts/devnet/anvil/anvil.js';
import { DevnetPackageMissingError } from '../../../scripts/devnet/anvil/devnet-errors.js';
import { createContractLibrary } from '../../../scripts/devnet/lane/contracts.js';
import { EXECUTION_STATE_CHANGED_TOPIC, MESSAGE_SENT_TOPIC } from '../../../scripts/devnet/lane/events.js';
import { devnetAccount, devnetKey } from '../../../scripts/devnet/lane/keys.js';
import type { ChainAddresses, ChainDeployment } from '../../../scripts/devnet/lane/lane-deployment.js';
import { MESSAGE_KINDS, messageCall } from '../../../scripts/devnet/lane/message-kinds.js';
import { createSemaphore } from '../../../scripts/devnet/lane/semaphore.js';
import { seededRandom } from '../../../src/core/random.js';

const library = createContractLibrary();

describe('what is not installed', () => {
  it('is an error that names the package and what to do', () => {
    expect(() => anvilBinaryPath('plan9', 'x64')).toThrow(DevnetPackageMissingError);
    expect(() => anvilBinaryPath('plan9', 'x64')).toThrow(
      /@foundry-rs\/anvil-plan9-amd64 is not installed: run `npm ci`/,
    );
    const empty = createContractLibrary(() => '/nonexistent');
    expect(() => empty.artifact('onramp')).toThrow(DevnetPackageMissingError);
    expect(() => empty.artifact('onramp')).toThrow(/@chainlink\/contracts-ccip is not installed/);
  });
});

describe('the contracts', () => {
  it('emit the events of the protocol', () => {
    expect(MESSAGE_SENT_TOPIC).toBe('0x371bc2ff0a006f4ef863b1d27a065d4e9f938b6d883eb154572b4aea593b32cc');
    expect(EXECUTION_STATE_CHANGED_TOPIC).toBe('0x8c324ce1367b83031769f6a813e3bb4c117aba2185789d66b98b791405be6df2');
  });
});

describe('keys', () => {
  it('differ by role and are the same every time', () => {
    expect(devnetKey('sender')).not.toBe(devnetKey('executor'));
    expect(devnetAccount('committee first signer 1').address).toBe(devnetAccount('committee first signer 1').address);
  });
});

describe('messages of the traffic', () => {
  const chain = (name: string, selector: string, byte: string): ChainDeployment => {
    const address = `0x${byte.repeat(20)}` as const;
    const names = ['router', 'onRamp', 'offRamp', 'executor', 'feeToken', 'token', 'pool'];
    const receivers = ['receiverLog', 'receiverTwoCCVs', 'receiverFast', 'receiverReverting'];
    const addresses: Record<string, unknown> = { ccvs: { first: address, second: address } };
    for (const each of [...names, ...receivers]) addresses[each] = address;
    return { name, chainId: 1, selector, startBlock: 0, addresses: addresses as unknown as ChainAddresses };
  };
  const source = chain('A', '1', 'a1');
  const dest = chain('B', '18446744073709551615', 'b2');

  it('are the same for the same seed', () => {
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(...MESSAGE_KINDS), (seed, kind) => {
        const drawn = [1, 2].map(() => messageCall(library, source, dest, kind, seededRandom(seed)));
        expect(drawn[0]).toEqual(drawn[1]);
      }),
      { numRuns: 50 },
    );
  });

  it('differ for another seed, and stay within the payload that the lane takes', () => {
    for (const kind of MESSAGE_KINDS) {
      const [one, other] = [1, 2].map((seed) => messageCall(library, source, dest, kind, seededRandom(seed)));
      expect(one!.data).not.toBe(other!.data);
      expect(one!.data.length / 2).toBeLessThan(30_000);
    }
  });
});

describe('a semaphore', () => {
  it('never runs more tasks than it has places, and passes on failures', async () => {
    const limit = createSemaphore(3);
    let running = 0;
    let most = 0;
    const task = async (n: number) => {
      running += 1;
      most = Math.max(most, running);
      await Promise.resolve();
      running -= 1;
      if (n === 5) throw new Error('five');
      return n;
    };
    const results = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => limit(() => task(n))));
    expect(most).toBe(3);
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1);
    expect(results[19]).toEqual({ status: 'fulfilled', value: 19 });
  });
});
