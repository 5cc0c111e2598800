import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { laneHash } from '../../src/api/v2/feed/lane-share.js';
import { silentLogger } from '../../src/core/logger.js';
import { seededRandom } from '../../src/core/random.js';
import { logOf } from '../../src/model/identity.js';
import { migrate } from '../../src/storage/postgres/migrate/migrations.js';
import { createPostgresStorage } from '../../src/storage/postgres/postgres-storage.js';
import { FeedReader } from '../../test/support/api/feed-reader.js';
import { e2eDirectory, type RunningService, startServiceProcess, writeConfig } from '../../test/support/e2e/service.js';
import { eventually } from '../../test/support/eventually.js';
import { createRecordMaker } from '../../test/support/records.js';
import { connectionUri, startEmbeddedPostgres } from '../devnet/postgres/embedded-postgres.js';

const HELP = `Usage: npm run chaos:feed -- [--seconds <n>] [--idle <n>] [--seed <n>]

A group of three members reads the feed of 50 lanes from two API processes that are killed, while records are written.
Then readers that nothing is for stay connected. See scripts/chaos/README.md.

  --seconds <n>  of writing (default 60)
  --idle <n>     readers without a change (default 1000)
  --seed <n>     of an earlier run
`;
const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    idle: { type: 'string', default: '1000' },
    seed: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const SEED = Number(values.seed ?? Date.now() % 2 ** 31);
const IDLE = Number(values.idle);
const LANES = 50;
const MEMBERS = 3;
const COMMIT_MS = 50;
const KILL_EVERY_MS = 5_000;
const IDLE_MS = 20_000;
const TICKS_PER_SECOND = 100;

const random = seededRandom(SEED);
const make = createRecordMaker(SEED);
const say = (text: string) => process.stdout.write(`${text}\n`);
say(`seed ${SEED}`);

const directory = e2eDirectory();
const server = await startEmbeddedPostgres({
  ...{ dataDir: `${directory.path}/data`, listenAddresses: '127.0.0.1', log: silentLogger },
});
if (!server.tcp) throw new Error('the server does not listen on TCP');
const connection = server.tcp;
await migrate({ connection });
const config = writeConfig(directory.path, 'feed.toml', {
  API: {
    ...{ ListenAddress: '127.0.0.1', ListenPort: 0, MaxFeedReaders: 2 * IDLE },
    ...{ MaxConnections: 4 * IDLE, MaxConnectionsPerAddress: 4 * IDLE },
  },
  Admin: { ListenAddress: '127.0.0.1', ListenPort: 0 },
  Log: { Level: 'info', Format: 'json' },
  Storage: { Strategy: 'single', Single: { Type: 'postgres', Postgres: { URI: connectionUri(connection) } } },
});

const servers: (RunningService | null)[] = [null, null];
const start = async (index: number) => {
  servers[index] = await startServiceProcess('api', config);
};
await Promise.all([start(0), start(1)]);
const writer = createPostgresStorage({ connection });
const lanes = Array.from({ length: LANES }, (_, n) => ({
  ...{ sourceChainSelector: BigInt(n), destChainSelector: 2n ** 63n + BigInt(n) },
}));

let isOver = false;
let kills = 0;
let restarts = 0;

async function write(): Promise<void> {
  const messages = Array.from({ length: 5 }, () =>
    make.message({ ...lanes[Math.floor(random() * LANES)], dataBytes: 64 }),
  );
  const executions = messages.slice(0, 2).map((message) => make.execution(message));
  const verifierResults = messages.map((message) => make.result(message));
  await writer.insertBatch({ messages, verifierResults, executions });
  if (random() < 0.2) await writer.insertBatch({ executionOrphanings: executions.slice(1).map(logOf) });
}

async function killServers(): Promise<void> {
  while (!isOver) {
    await delay(KILL_EVERY_MS);
    const index = random() < 0.5 ? 0 : 1;
    const victim = servers[index];
    if (!victim || isOver) continue;
    servers[index] = null;
    victim.cli.kill('SIGKILL');
    await victim.cli.exited;
    kills += 1;
    await delay(random() * 1_000);
    await start(index);
  }
}

async function follow(reader: FeedReader, member: number): Promise<void> {
  while (!isOver) {
    const running = servers.flatMap((each) => each ?? []);
    const chosen = running[Math.floor(random() * running.length)];
    const port = Number(new URL(chosen?.apiUrl ?? 'http://127.0.0.1:1').port);
    const isConnected = await reader.connect(port, `member=${member}&size=${MEMBERS}`).catch(() => null);
    const until = Date.now() + random() * 6_000;
    while (isConnected && !reader.ended && !isOver && Date.now() < until) await delay(20);
    reader.stop();
    restarts += 1;
    await delay(20);
  }
}

const members = Array.from({ length: MEMBERS }, () => new FeedReader('0'));
const killing = killServers();
const following = members.map(follow);
const endMs = Date.now() + Number(values.seconds) * 1_000;
while (Date.now() < endMs) {
  await write();
  await delay(COMMIT_MS);
}
const { headPosition } = await writer.changesAfter(0n, 1);
await eventually('every member to stand at the head', () =>
  members.every(({ lastId }) => BigInt(lastId ?? 0) >= headPosition),
);
isOver = true;
await Promise.all([killing, ...following]);

const wrong: string[] = [];
const told = new Map<bigint, number>();
let again = 0;
for (const [member, { events }] of members.entries()) {
  const last = new Map<string, bigint>();
  for (const { position, lane } of events) {
    if (laneHash(lane) % BigInt(MEMBERS) !== BigInt(member))
      wrong.push(`${position} of lane ${lane} came to ${member}`);
    if (told.get(position) === member) again += 1;
    else if (position < (last.get(lane) ?? 0n)) wrong.push(`${position} of lane ${lane} came behind a later one`);
    told.set(position, member);
    last.set(lane, position);
  }
}
for (const { failure } of members) if (failure !== null) wrong.push(failure);
let expected = 0;
for (let after = 0n; after < headPosition; ) {
  const set = await writer.changesAfter(after, 1_000);
  for (const { position } of set.changes) {
    expected += 1;
    if (!told.has(position)) wrong.push(`${position} came to none`);
  }
  after = set.throughPosition;
}
say(
  `${expected} changes of ${headPosition} positions over ${LANES} lanes; ${kills} servers killed, ${restarts} readers restarted`,
);
say(`told to ${members.map(({ events }) => events.length).join(', ')}; ${again} of them again after a restart`);

await delay(1_000);
const idle = servers[0];
if (idle) {
  const pid = serviceProcess(idle.cli.pid);
  const before = usage(pid);
  const readers = Array.from({ length: IDLE }, () => new FeedReader());
  for (let at = 0; at < IDLE; at += 50)
    await Promise.all(
      readers.slice(at, at + 50).map((each) => each.connect(Number(new URL(idle.apiUrl).port), 'lanes=9-9')),
    );
  await delay(2_000);
  const silent = await share(pid);
  let isWriting = true;
  const commits = (async () => {
    for (let count = 0; ; count += 1) {
      if (!isWriting) return count;
      await write();
      await delay(COMMIT_MS);
    }
  })();
  const busy = await share(pid);
  isWriting = false;
  const perSecond = ((await commits) * 1_000) / IDLE_MS;
  const grown = (usage(pid).rssKib - before.rssKib) / 1024;
  say(`${IDLE} idle readers: ${grown.toFixed(0)} MiB more, ${((grown * 1024) / IDLE).toFixed(0)} KiB each`);
  say(
    `  ${(100 * silent).toFixed(1)} % of a core while nothing is written, ${(100 * busy).toFixed(1)} % at ${perSecond.toFixed(0)} commits/s`,
  );
  for (const reader of readers) reader.stop();
}

for (const each of servers) await each?.cli.stop();
await writer.close();
await server.stop();
directory.remove();
for (const each of wrong.slice(0, 20)) say(`WRONG ${each}`);
say(wrong.length === 0 ? 'every change came to one member, each lane in order' : `FAILED: ${wrong.length} wrong`);
process.exitCode = wrong.length === 0 ? 0 : 1;

/** The program itself: the process that was started may be its launcher. */
function serviceProcess(pid: number): number {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
  return child === undefined ? pid : serviceProcess(Number(child));
}

function usage(pid: number): { readonly rssKib: number; readonly cpuSeconds: number } {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  const rssKib = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  return { rssKib, cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND };
}

/** The share of a core that a process takes over the next seconds. */
async function share(pid: number): Promise<number> {
  const before = usage(pid);
  await delay(IDLE_MS);
  return (usage(pid).cpuSeconds - before.cpuSeconds) / (IDLE_MS / 1_000);
}
