import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createJsonRpc, type JsonRpc } from '../../../scripts/devnet/anvil/json-rpc.js';
import { createAccountSender } from '../../../scripts/devnet/lane/account-sender.js';
import { createCommitteeVerifier } from '../../../scripts/devnet/lane/committee-verifier.js';
import { type DevnetRole, devnetAccount } from '../../../scripts/devnet/lane/keys.js';
import { isLaneDeployed } from '../../../scripts/devnet/lane/lane.js';
import type { MessageKind } from '../../../scripts/devnet/lane/message-kinds.js';
import { createTraffic, type SentMessage, type Traffic } from '../../../scripts/devnet/lane/traffic.js';
import type { Hex } from '../../../src/core/hex.js';
import {
  common,
  library,
  startTestLane,
  type TestLane,
  temporaryDirectory,
  until,
} from '../../support/devnet/fixture.js';
import { type RpcProxy, startRpcProxy } from '../../support/devnet/rpc-proxy.js';

describe('on a chain whose blocks the test makes', () => {
  let lane: TestLane;
  let rpc: JsonRpc;
  let proxy: RpcProxy;
  let traffic: Traffic;
  let verifierUrl: string;

  beforeAll(async () => {
    lane = await startTestLane({ mining: 'manual', slotsInAnEpoch: 3 }); // safe = latest − 3, finalized = latest − 6
    const { deployment } = lane;
    const [a, b] = lane.chains;
    rpc = createJsonRpc(a.url);
    proxy = lane.own(await startRpcProxy(a.url));
    const chains = [{ ...a, url: proxy.url }, b];
    traffic = lane.own(createTraffic({ common, deployment, chains, library, ratePerSecond: 1, seed: 5 }));
    const verifier = await createCommitteeVerifier({ common, deployment, chains, committee: 'first', pollMs: 10 });
    verifierUrl = lane.own(verifier).url;
  });
  afterAll(() => lane.close());

  async function mine(blocks: number): Promise<void> {
    await rpc('anvil_mine', [`0x${blocks.toString(16)}`]);
  }

  async function untilPooled(count: number): Promise<void> {
    await until('the pool', async () => Number(((await rpc('txpool_status')) as { pending: Hex }).pending) === count);
  }

  async function sendInNextBlock(kind: MessageKind): Promise<SentMessage> {
    const sending = traffic.send(kind);
    await untilPooled(1);
    await mine(1);
    return await sending;
  }

  /** Once the verifier has read the chain as it is now: its second round from here on, which ends before the third. */
  async function signedNow(...messages: SentMessage[]): Promise<boolean[]> {
    const rounds = proxy.count('eth_getLogs');
    await until('two rounds of the verifier', () => proxy.count('eth_getLogs') >= rounds + 3);
    return await Promise.all(
      messages.map(async ({ messageId }) => {
        return (await fetch(`${verifierUrl}/verifications?messageID=${messageId}`)).status === 200;
      }),
    );
  }

  async function latestBlock(): Promise<number> {
    return Number(await rpc('eth_blockNumber'));
  }

  it('the verifier signs at safe and at finalized, and not a block earlier', async () => {
    const final = await sendInNextBlock('data');
    const safe = await sendInNextBlock('fastSafe');
    const [finalAt, safeAt] = [Number(final.blockNumber), Number(safe.blockNumber)];
    await mine(2);
    expect(await latestBlock()).toBe(safeAt + 2);
    expect(await signedNow(safe, final)).toEqual([false, false]);
    await mine(1);
    expect(await signedNow(safe, final)).toEqual([true, false]);
    await mine(1);
    expect(await latestBlock()).toBe(finalAt + 5);
    expect(await signedNow(final)).toEqual([false]);
    await mine(1);
    expect(await signedNow(final)).toEqual([true]);
  });

  it('the verifier signs at the depth that the message asks for', async () => {
    // the kind draws a depth of 1 or 2: the block's own number plus that
    const message = await sendInNextBlock('fastDepth');
    expect(await signedNow(message)).toEqual([false]);
    await mine(2);
    expect(await signedNow(message)).toEqual([true]);
  });

  it('a message that a reorg removed before it was final is never signed; what replaces it is', async () => {
    const removed = await sendInNextBlock('data');
    await mine(1);
    await rpc(
      'anvil_reorg',
      [{ depth: 2, tx_block_pairs: [] }].flatMap(({ depth, tx_block_pairs }) => [depth, tx_block_pairs]),
    );
    const replacement = await sendInNextBlock('data');
    expect(replacement.messageId).not.toBe(removed.messageId);
    await mine(8);
    expect(await signedNow(replacement, removed)).toEqual([true, false]);
  });

  describe('an account sender', () => {
    let number = 0;
    async function sender() {
      number += 1;
      const role: DevnetRole = `owner of test ${number}`;
      const account = devnetAccount(role);
      await rpc('anvil_setBalance', [account.address, `0x${(10n ** 24n).toString(16)}`]);
      const throughProxy = createJsonRpc(proxy.url, 2_000);
      const options = { common, rpc: throughProxy, chainId: lane.chains[0].chainId, account, pollMs: 10 };
      return { account, sending: lane.own(createAccountSender(options)) };
    }
    const call = { to: '0x000000000000000000000000000000000000dEaD' as Hex, data: '0x' as Hex, gas: 30_000n };

    it('sends the same call once when the answer is lost, and goes on when the node is away', async () => {
      const { account, sending } = await sender();
      proxy.fail('lose', 'eth_sendRawTransaction');
      const lost = sending.send(call);
      await untilPooled(1);
      proxy.fail('refuse');
      const away = sending.send(call);
      await until('a refused call', () => proxy.refused() > 0);
      proxy.fail(null);
      await untilPooled(2);
      await mine(1);
      expect((await Promise.all([lost, away])).map(({ succeeded }) => succeeded)).toEqual([true, true]);
      expect(await rpc('eth_getTransactionCount', [account.address, 'latest'])).toBe('0x2');
    });

    it('sends again what the node forgot', async () => {
      const { sending } = await sender();
      const sent = sending.send(call);
      await untilPooled(1);
      await rpc('anvil_dropAllTransactions');
      await untilMinedOneByOne(sent);
    });

    it('closes a gap of nonces that nothing waiting can fill', async () => {
      const { account, sending } = await sender();
      const first = sending.send(call);
      await untilPooled(1);
      await mine(1);
      await first;
      const second = sending.send(call);
      await untilPooled(1);
      // the account's nonce goes back by one, as after a reorg that dropped the first
      await rpc('anvil_setNonce', [account.address, '0x0']);
      await untilMinedOneByOne(second);
    });

    it('fails what waits when it is closed', async () => {
      const { sending } = await sender();
      const sent = sending.send(call);
      const failed = expect(sent).rejects.toMatchObject({ code: 'CLOSED' });
      await untilPooled(1);
      await sending.close();
      await failed;
      await rpc('anvil_dropAllTransactions');
    });

    async function untilMinedOneByOne(sent: Promise<unknown>): Promise<void> {
      let mined = false;
      sent.finally(() => {
        mined = true;
      });
      await until('the transaction', async () => {
        if (!mined) await mine(1);
        return mined;
      });
      await sent;
    }
  });
});

describe('a data directory', () => {
  const directory = temporaryDirectory();
  afterAll(directory.remove);

  it('lets stopped chains go on: same lane, next message numbers, the same signatures', async () => {
    const options = { stateDirectory: directory.path };
    const before = await startTestLane(options);
    const { deployment } = before;
    const saved = JSON.stringify(deployment);
    const first = await sendAndProve(before);
    await before.close();

    const after = await startTestLane({ ...options, deployment: JSON.parse(saved) });
    try {
      expect(await isLaneDeployed(after.deployment, after.chains)).toBe(true);
      expect(await proofOf(after, first.message)).toBe(first.proof);
      const second = await sendAndProve(after);
      expect(second.number).toBe(first.number + 1);
    } finally {
      await after.close();
    }
  });

  async function sendAndProve(lane: TestLane) {
    const { deployment, chains } = lane;
    const traffic = lane.own(createTraffic({ common, deployment, chains, library, ratePerSecond: 1, seed: 9 }));
    const message = await traffic.send('fastDepth');
    await traffic.close();
    const proof = await proofOf(lane, message);
    return { message, proof, number: Number(/"sequence_number":(\d+)/.exec(proof)?.[1]) };
  }

  /** Everything of the answer but the time of signing. */
  async function proofOf({ deployment, chains, own }: TestLane, { messageId }: SentMessage): Promise<string> {
    const verifier = own(await createCommitteeVerifier({ common, deployment, chains, committee: 'first', pollMs: 20 }));
    const text = await until('the proof', async () => {
      const response = await fetch(`${verifier.url}/verifications?messageID=${messageId}`);
      return response.status === 200 && (await response.text());
    });
    return text.replace(/"timestamp":\d+/, '');
  }
});
