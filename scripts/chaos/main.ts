import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Hex } from '../../src/core/hex.js';
import { silentLogger } from '../../src/core/logger.js';
import { seededRandom } from '../../src/core/random.js';
import { encodeMessage } from '../../src/protocol/message-codec.js';
import { startAnvilChain } from '../../test/support/chain/anvil-chain.js';
import { CCV, EXECUTOR, makeMessageLog } from '../../test/support/chain/log-emitter.js';
import { ON_RAMP, SOURCE } from '../../test/support/chain/watch.js';
import { endAllCli, startCli } from '../../test/support/e2e/cli.js';
import { e2eDirectory, hotAndWarm, serviceOf, writeConfig } from '../../test/support/e2e/service.js';
import { resultJson } from '../../test/support/indexer/verifier-server.js';
import { connectionUri, startEmbeddedPostgres } from '../devnet/postgres/embedded-postgres.js';
import { beGreedy } from './greedy-clients.js';
import { startHostileVerifier } from './hostile-verifier.js';
import { startLyingNode } from './lying-node.js';

/*
 * `npm run chaos`: one process with a heap of 512 MB between 50 greedy clients, a hostile verifier and a lying node,
 * for 60 s. It must not die, goes on ingesting meanwhile, and holds every message with its verification afterwards.
 */
const HEAP_MB = 512;
const CLIENTS = 50;
const SECONDS = Number(process.env['CHAOS_SECONDS'] ?? 60);
const MESSAGE_BYTES = 65_000;
const FIRST_MESSAGES = 1_100;
const A_BLOCK = 5;
const SEED = 20261128;

const random = seededRandom(SEED);
const directory = e2eDirectory();
const chain = await startAnvilChain({ onRamp: ON_RAMP, slots: 3 });
const verifier = await startHostileVerifier(random);
const postgres = await startEmbeddedPostgres({ dataDir: `${directory.path}/data`, log: silentLogger });
const liar = await startLyingNode(chain.anvil.url, random);
let sent = 0;

async function sendBlock(count: number): Promise<void> {
  const logs = Array.from({ length: count }, () => {
    sent += 1;
    return makeMessageLog(SOURCE, sent, { data: `0x${randomBytes(MESSAGE_BYTES).toString('hex')}` });
  });
  for (const { messageId, message } of logs) {
    const result = {
      messageId,
      encodedMessage: encodeMessage(message),
      messageCCVAddresses: [CCV],
      messageExecutorAddress: EXECUTOR,
      ccvData: Buffer.from(`e9a05a200080${messageId.slice(2).repeat(4)}`, 'hex'),
      attestationMs: 1_760_000_000_000,
      verifierName: '',
      verifierSourceAddress: CCV,
      verifierDestAddress: `0x${'de'.repeat(20)}` as Hex,
    };
    verifier.known.set(messageId, resultJson(result));
  }
  await chain.block(...logs);
}

const say = (text: string) => process.stdout.write(`${text}\n`);
say(`making ${FIRST_MESSAGES} messages of ${MESSAGE_BYTES} bytes …`);
while (sent < FIRST_MESSAGES) await sendBlock(A_BLOCK);

const table = hotAndWarm({
  namespace: 'chaos',
  uri: connectionUri(postgres.connection),
  chains: [
    {
      ...{ Name: 'local', Selector: SOURCE.sourceSelector.toString(), ChainID: 1337, OnRamp: ON_RAMP },
      ...{ RpcUrls: [liar.url, chain.anvil.url], Confirmations: 'latest', PollInterval: 200, RequestsPerSecond: 1_000 },
    },
  ],
  verifiers: [
    {
      Type: 'rest',
      Name: 'committee',
      IssuerAddresses: [CCV],
      BaseURL: verifier.baseUrl,
      RequestTimeout: 2,
      BatchSize: 20,
    },
  ],
});
const config = writeConfig(directory.path, 'chaos.toml', table);
const service = await serviceOf(
  startCli(['start', '--config', config, '--migrate'], { NODE_OPTIONS: `--max-old-space-size=${HEAP_MB}` }),
);
const metric = async (name: string): Promise<readonly string[]> =>
  (await (await fetch(`${service.adminUrl}/metrics`)).text()).split('\n').filter((line) => line.startsWith(name));
const stored = async (): Promise<{ messages: number; verifierResults: number }> =>
  (
    (await (await fetch(`${service.adminUrl}/status`)).json()) as {
      counts: { messages: number; verifierResults: number };
    }
  ).counts;

const before = await stored();
say(`${SECONDS} s of ${CLIENTS} greedy clients, a hostile verifier and a lying node`);
const stop = new AbortController();
const greed = beGreedy(service.apiUrl, CLIENTS, stop.signal);
for (let second = 0; second < SECONDS && service.cli.exit() === null; second += 1) {
  await sendBlock(3);
  await delay(1_000);
  if (second % 10 === 9) {
    const { messages, verifierResults } = await stored().catch(() => ({ messages: '?', verifierResults: '?' }));
    say(`  ${second + 1} s: ${messages} of ${sent} messages stored, ${verifierResults} verified`);
  }
}
await chain.mine(3);
stop.abort();
const got = await greed;
const during = await stored();
const isAlive = service.cli.exit() === null;
verifier.calm();
const startMs = performance.now();
let after = during;
while (isAlive && performance.now() - startMs < 120_000 && (after.messages < sent || after.verifierResults < sent)) {
  await delay(500);
  after = await stored();
}
const peakMb = Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${service.cli.pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024;

const status = (await (await fetch(`${service.adminUrl}/status`)).json()) as {
  sources: { watcher: { crossCheck: object; rpc: object; lastError: object | null } }[];
};
say(`\nprocess          ${isAlive ? 'alive' : 'dead'}, peak RSS ${peakMb.toFixed(0)} MB, heap limit ${HEAP_MB} MB`);
say(
  `greedy clients   ${[...got.answers].map(([code, count]) => `${count} × ${code}`).join(', ')}, ` +
    `${got.broken} broken off, ${got.torn} torn, ${(got.bytes / 1e9).toFixed(2)} GB`,
);
say(
  `messages         ${before.messages} stored before, ${during.messages} of ${sent} at the end of the minute, ` +
    `${after.messages} of ${sent} ${((performance.now() - startMs) / 1_000).toFixed(0)} s later`,
);
say(
  `verified         ${before.verifierResults} before, ${during.verifierResults} at the end of the minute, ` +
    `${after.verifierResults} of ${sent} later`,
);
say(`lies             ${[...liar.lies].map(([kind, count]) => `${count} × ${kind}`).join(', ')}`);
say(`hostilities      ${[...verifier.hostilities].map(([kind, count]) => `${count} × ${kind}`).join(', ')}`);
say(`cross-check      ${JSON.stringify(status.sources[0]?.watcher.crossCheck)}`);
say('refused, and why');
for (const name of [
  'indexer_http_answers',
  'indexer_rpc_errors_total',
  'indexer_verifier',
  'indexer_source_missing',
  'indexer_source_quarantined',
])
  for (const line of await metric(name)) if (!/_bucket|_sum|_count| 0$/.test(line)) say(`  ${line}`);
await service.cli.stop();
await endAllCli();
for (const part of [liar, verifier, chain]) await ('stop' in part ? part.stop() : part.close());
await postgres.stop();
directory.remove();
const isRight =
  isAlive &&
  got.torn === 0 &&
  during.messages > before.messages &&
  after.messages === sent &&
  after.verifierResults === sent;
say(isRight ? '\nnothing died, nothing was lost' : '\nFAILED');
process.exit(isRight ? 0 : 1);
