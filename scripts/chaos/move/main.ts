import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openStorage } from '../../../src/app/open-storage.js';
import { loadConfig } from '../../../src/config/load.js';
import { createCommon } from '../../../src/core/common.js';
import { seededRandom } from '../../../src/core/random.js';
import { endAllCli, runCli } from '../../../test/support/e2e/cli.js';
import { startEmittedChain } from '../../../test/support/e2e/emitted-chain.js';
import { e2eDirectory } from '../../../test/support/e2e/service.js';
import { eventually } from '../../../test/support/eventually.js';
import { startMoveClients } from './clients.js';
import { type Command, type CommandDeath, createMoveCommands } from './commands.js';
import { killProcess, mortalProcess, writeMoveConfig } from './deployment.js';
import { compareEnds } from './ending.js';
import { Figures } from './figures.js';
import { startMortalServer } from './servers.js';
import { startTraffic } from './traffic.js';

const HELP = `Usage: npm run chaos:move -- [--quick] [--rounds <n>] [--seed <n>]

Moves a deployment from one Postgres server to another and back while records are written and read, and kills everything
that takes part in every phase. See scripts/chaos/README.md.

  --quick       one round and short pauses: about three minutes on two idle cores
  --rounds <n>  moves that are rolled back before the last one (default 4)
  --retention <s>  age at which records leave the databases for the cold tier (default: they stay)
  --seed <n>    of an earlier run
`;
const { values } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    retention: { type: 'string', default: '0' },
    rounds: { type: 'string' },
    seed: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  process.stdout.write(HELP);
  process.exit(0);
}
const SEED = Number(values.seed ?? Date.now() % 2 ** 31);
const ROUNDS = Number(values.rounds ?? (values.quick ? 1 : 4));
/** Records that are there before the move begins. */
const FIRST_MESSAGES = values.quick ? 1_000 : 4_000;
const ROWS_PER_SECOND = values.quick ? 500 : 200;
const RETENTION_S = Number(values.retention);
const CALM_MS = values.quick ? 500 : 2_000;
/** A message is two records: itself and its result. */
const BLOCK_MESSAGES = 20;
const BLOCK_MS = 500;
const QUESTIONS_PER_SECOND = 260;
const STALE_MS = 1_000;
const MOST_DEAD_MS = 2_000;
/** Beyond the lease of a source and the attendance of a process. */
const MOST_PAUSED_MS = values.quick ? 4_000 : 15_000;

const random = seededRandom(SEED);
const say = (text: string) => process.stdout.write(`${text}\n`);
const upTo = (most: number) => Math.floor(random() * most);
say(`seed ${SEED}`);

const directory = e2eDirectory();
const chain = await startEmittedChain(SEED);
const [old, next] = await Promise.all([
  startMortalServer(`${directory.path}/old`),
  startMortalServer(`${directory.path}/new`),
]);
const settings = {
  ...{ chains: [chain.chainSection({ PollInterval: 200 })], verifiers: [chain.verifierSection()] },
  ...{ staleMs: STALE_MS, rowsPerSecond: ROWS_PER_SECOND, retention: RETENTION_S },
};
const config = writeMoveConfig(directory.path, 'move.toml', { ...settings, old: old.uri, new: next.uri });
const tapped = { ...settings, old: old.tappedUri, new: next.tappedUri };
const commands = createMoveCommands(writeMoveConfig(directory.path, 'tapped.toml', tapped), [old.tap, next.tap]);
await migrateUp();

const workers = [mortalProcess('worker', config), mortalProcess('worker', config)];
const replicas = [mortalProcess('api', config), mortalProcess('api', config)];
while (chain.messageIds.length < FIRST_MESSAGES) await chain.block(100);
await Promise.all([...workers, ...replicas].map((each) => each.start()));
const figures = new Figures((wrong) => say(`  WRONG ${wrong.slice(0, 2_000)}`));
figures.begin('before', 0);
const library = await openStorage(loadConfig({ file: config }), createCommon(), 'read');
const clients = startMoveClients({
  replicas,
  library: library.sink,
  perSecond: QUESTIONS_PER_SECOND,
  staleMs: STALE_MS,
  random,
  figures,
});
const { messages, results } = clients;
const written = () => messages.records.length + results.records.length;
await eventually('what was there before to be shown', () => results.records.length >= FIRST_MESSAGES);
figures.begin('before', written());

async function untilShown(): Promise<void> {
  const sent = chain.messageIds.length;
  await eventually(`${sent} messages to be shown with their results`, () =>
    Promise.resolve(Math.min(messages.records.length, results.records.length) >= sent || written()),
  );
}

async function migrateUp(): Promise<void> {
  const { code, stderr } = await runCli(['migrate', 'up', '--config', config]);
  if (code !== 0) throw new Error(stderr);
}

/** Until what is written now is shown again. */
async function untilSeen(): Promise<void> {
  await untilShown();
  await delay(CALM_MS);
}

const pick = <T>(of: readonly T[]): T => of[upTo(of.length)] as T;
const victims: Readonly<Record<string, () => Promise<void>>> = {
  worker: () => killProcess(pick(workers), upTo(MOST_DEAD_MS)),
  api: () => killProcess(pick(replicas), upTo(MOST_DEAD_MS)),
  old: () => old.kill(upTo(MOST_DEAD_MS)),
  new: () => next.kill(upTo(MOST_DEAD_MS)),
  'paused worker': () => pick(workers).pause(upTo(MOST_PAUSED_MS)),
  'paused api': () => pick(replicas).pause(upTo(MOST_PAUSED_MS)),
};

async function killEach(): Promise<void> {
  await untilSeen();
  for (const [who, kill] of Object.entries(victims).toSorted(() => random() - 0.5)) {
    figures.killed(who);
    const ended = figures.watch();
    await kill();
    await untilSeen();
    say(`  ${who}: ${ended()}`);
  }
}

const death = (most: number, also?: () => void): CommandDeath => ({
  pieces: 1 + upTo(most),
  last: random() < 0.5 ? 'pass' : 'drop',
  ...(also ? { also } : {}),
});

async function begin(phase: string, command: Command): Promise<void> {
  for (const refusal of await commands.run(...command)) say(`  refused: ${refusal.slice(0, 400)}`);
  figures.begin(phase, written());
  say(`${phase}: ${written()} records shown`);
}

/** Into the next phase: the command dies in its middle, then is given again. */
async function advance(phase: string, command: Command, most = 6): Promise<void> {
  if (await commands.kill(command, death(most))) figures.killed('command');
  await begin(phase, command);
}

let handovers = 0;
/** As `advance`, where others die at the same moment as the command. */
async function handOver(phase: string, command: Command): Promise<void> {
  const reborn: Promise<void>[] = [];
  const both = ['worker', 'worker'];
  const together: readonly (readonly [dead: readonly string[], also: () => void])[] = [
    [both, () => reborn.push(...workers.map((each) => killProcess(each, upTo(MOST_DEAD_MS))))],
    [['old'], () => reborn.push(old.kill(upTo(MOST_DEAD_MS)))],
    [['new'], () => reborn.push(next.kill(upTo(MOST_DEAD_MS)))],
    [['paused worker'], () => reborn.push(pick(workers).pause(upTo(MOST_PAUSED_MS)))],
    [['api'], () => reborn.push(killProcess(pick(replicas), upTo(MOST_DEAD_MS)))],
    [
      ['old', 'new', ...both],
      () => {
        reborn.push(old.kill(upTo(MOST_DEAD_MS)), next.kill(upTo(MOST_DEAD_MS)));
        reborn.push(...workers.map((each) => killProcess(each, upTo(MOST_DEAD_MS))));
      },
    ],
  ];
  const [dead, also] = together[handovers % together.length] as (typeof together)[number];
  handovers += 1;
  if (await commands.kill(command, death(14, also))) for (const who of ['command', ...dead]) figures.killed(who);
  await Promise.all(reborn);
  await begin(phase, command);
}

/** A new database that lacks more than the old one still has begins anew, as its refusal says. */
async function prepareAgain(): Promise<void> {
  if (RETENTION_S > 0) {
    await next.sql('DROP SCHEMA moving CASCADE');
    await migrateUp();
  }
  await begin('prepared', ['prepare']);
}

const write = () => startTraffic(chain, BLOCK_MESSAGES, BLOCK_MS);
let stop = write();
await untilSeen();
for (let round = 1; round <= ROUNDS; round += 1) {
  const isFirst = round === 1;
  const disturb = async () => await (isFirst ? killEach() : untilSeen());
  if (isFirst) await advance('prepared', ['prepare']);
  else await prepareAgain();
  await disturb();
  await advance('dual-write', ['start']);
  await disturb();
  await advance('backfilling', ['backfill', '--no-wait']);
  await disturb();
  await begin('backfilled', ['backfill']);
  await advance('comparing', ['compare'], 40);
  await disturb();
  await begin('comparing', ['compare']);
  await handOver('switched', ['switch']);
  await disturb();
  await handOver('rolled back', ['rollback']);
  await disturb();
}
await prepareAgain();
await begin('dual-write', ['start']);
await begin('backfilling', ['backfill']);
await begin('comparing', ['compare']);
await handOver('switched', ['switch']);
await untilSeen();

await stop();
await untilShown();
const faults = await compareEnds(config, clients, chain.messageIds);
await advance('finished', ['finish']);
stop = write();
await killEach();
await stop();
await untilShown();
figures.end(written());
await clients.stop();
await library.close();

say(`\n${figures.table()}\n`);
for (const fault of faults) say(`FAULT ${fault.slice(0, 2_000)}`);
const isRight = faults.length === 0 && figures.wrongs.length === 0;
for (const each of [...workers, ...replicas]) await each.stop();
await endAllCli();
await Promise.all([old.stop(), next.stop(), chain.close()]);
directory.remove();
say(isRight ? 'no answer was wrong, and both databases hold the same' : `FAILED with seed ${SEED}`);
process.exit(isRight ? 0 : 1);
