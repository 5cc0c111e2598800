import type { TomlTable } from 'smol-toml';
import type { Hex } from '../../../src/core/hex.js';
import { bytesToHex } from '../../../src/core/hex.js';
import { seededRandom } from '../../../src/core/random.js';
import { encodeMessage } from '../../../src/protocol/message-codec.js';
import { startAnvilChain } from '../chain/anvil-chain.js';
import { CCV, type EmittedLog, EXECUTOR, emitterCalldata, makeMessageLog } from '../chain/log-emitter.js';
import { ON_RAMP, SOURCE } from '../chain/watch.js';
import { resultJson, startVerifierServer } from '../indexer/verifier-server.js';

/** A chain with many messages in few blocks, and a verifier that knows all of them. */
export interface EmittedChain {
  readonly url: string;
  /** Message ids in chain order. */
  readonly messageIds: readonly Hex[];
  /** Logs that must end in quarantine. */
  readonly badLogs: number;
  head(): Promise<number>;
  finalized(): Promise<number>;
  /** Makes one block with this many messages, and returns their ids. */
  block(messages: number, badLogs?: number): Promise<readonly Hex[]>;
  mine(blocks: number): Promise<void>;
  /** As a configuration names it. */
  chainSection(settings?: TomlTable): TomlTable;
  verifierSection(): TomlTable;
  /** The ids that the verifier was asked for, in order, as often as it was. */
  asked(): readonly Hex[];
  /** The header `traceparent` of each request to the verifier, in order. */
  traceparents(): readonly unknown[];
  close(): Promise<void>;
}

/** Starts an empty chain; the same seed makes the same messages. */
export async function startEmittedChain(seed: number): Promise<EmittedChain> {
  const random = seededRandom(seed);
  const chain = await startAnvilChain({ onRamp: ON_RAMP, slots: 3, chainId: 1_337 });
  const verifier = await startVerifierServer();
  const [from] = (await chain.rpc('eth_accounts')) as [Hex];
  const messageIds: Hex[] = [];
  let badLogs = 0;
  let messageNumber = 0;

  function nextLog(): ReturnType<typeof makeMessageLog> {
    messageNumber += 1;
    return makeMessageLog(SOURCE, messageNumber, { data: payload(Math.floor(random() * 300)) });
  }

  function payload(sizeBytes: number): Hex {
    return bytesToHex(Uint8Array.from({ length: sizeBytes }, () => random() * 256));
  }

  /** In one request. The order of logs in the block is that of the nonces, which the node knows: a reorg takes some back. */
  async function send(logs: readonly EmittedLog[]): Promise<void> {
    if (logs.length === 0) return;
    const nonce = Number(await chain.rpc('eth_getTransactionCount', [from, 'pending']));
    const calls = logs.map((log, index) => {
      const transaction = { from, to: ON_RAMP, data: emitterCalldata(log), gas: '0x200000' };
      const params = [{ ...transaction, nonce: `0x${(nonce + index).toString(16)}` }];
      return { jsonrpc: '2.0', id: index, method: 'eth_sendTransaction', params };
    });
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(chain.anvil.url, { method: 'POST', headers, body: JSON.stringify(calls) });
    const answers = (await response.json()) as { readonly error?: unknown }[];
    const errors = answers.flatMap(({ error }) => error ?? []);
    if (answers.length !== logs.length || errors.length > 0) throw new Error(JSON.stringify(errors));
  }

  return {
    url: chain.anvil.url,
    messageIds,
    get badLogs() {
      return badLogs;
    },
    head: chain.head,
    async finalized() {
      return Number(((await chain.rpc('eth_getBlockByNumber', ['finalized', false])) as { number: Hex }).number);
    },
    async block(messages, bad = 0) {
      const logs = Array.from({ length: messages }, nextLog);
      for (const { messageId, message } of logs) {
        const attestation = { encodedMessage: encodeMessage(message), ccvData: proof(messageId) };
        const verifierDestAddress: Hex = `0x${'de'.repeat(20)}`;
        verifier.known.set(
          messageId,
          resultJson({
            ...attestation,
            messageId,
            messageCCVAddresses: [CCV],
            messageExecutorAddress: EXECUTOR,
            verifierSourceAddress: CCV,
            verifierDestAddress,
            attestationMs: 1_760_000_000_000 + Number(message.messageNumber),
            verifierName: '',
          }),
        );
      }
      // an id that is not the message's: decodes, and fails the last checks
      const broken = Array.from({ length: bad }, () => {
        const { topics, data } = nextLog();
        return { topics: [topics[0], topics[1], topics[2], payload(32)] as const, data };
      });
      badLogs += bad;
      await send([...logs, ...broken]);
      await chain.mine(1);
      messageIds.push(...logs.map(({ messageId }) => messageId));
      return logs.map(({ messageId }) => messageId);
    },
    mine: chain.mine,
    chainSection: (settings = {}) => ({
      Name: 'emitted',
      Selector: SOURCE.sourceSelector.toString(),
      RpcUrls: [chain.anvil.url],
      OnRamp: ON_RAMP,
      Confirmations: 'latest',
      PollInterval: 100,
      RequestsPerSecond: 1_000,
      ...settings,
    }),
    verifierSection: () => ({
      Type: 'rest',
      Name: 'committee',
      IssuerAddresses: [CCV],
      BaseURL: verifier.baseUrl,
      MaxBatchWaitTime: 20,
    }),
    asked: () => verifier.requests.flat(),
    traceparents: () => verifier.traceparents,
    async close() {
      await chain.stop();
      await verifier.close();
    },
  };
}

/** Committee data of a plausible length; nothing here checks signatures. */
function proof(messageId: Hex): Uint8Array {
  return Buffer.from(`e9a05a200080${messageId.slice(2).repeat(4)}`, 'hex');
}
