import { postgresOptions } from '../../app/backend-options.js';
import { backendSections, leadingDatabase } from '../../app/backend-sections.js';
import { type OpenedCold, openCold } from '../../app/cold-backends.js';
import { ensureMigrated } from '../../app/migrations.js';
import { openRpc, watchedChain } from '../../app/open-rpc.js';
import { openStorage } from '../../app/open-storage.js';
import { chainSources } from '../../chains/source-ids.js';
import { rampsOf } from '../../chains/watch/watched-chain.js';
import type { ChainSection, Config } from '../../config/schema/schema.js';
import type { Common } from '../../core/common.js';
import { IndexerError } from '../../core/errors.js';
import type { Hex } from '../../core/hex.js';
import { planResume, type RecordLister, type ResumePlan, resume } from '../../indexer/chain-resume.js';
import { createChainStore } from '../../indexer/chain-store.js';
import { inspectPostgres } from '../../storage/postgres/inspection.js';
import type { Storage } from '../../storage/storage.js';
import { formatCount } from '../amounts.js';
import type { ConfigOptions } from '../config-option.js';
import { print, printJson } from '../storage/output.js';
import { runStorageCommand, type StorageCommand, unlessStopped } from '../storage/run-command.js';
import { textTable } from '../text-table.js';

/** Options of `chain resume`. */
export interface ResumeCommandOptions extends ConfigOptions {
  readonly from: number;
  readonly dryRun?: boolean;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** Connections of a worker that ended a moment ago are still there. */
const LINGER_MS = 5_000;
const LINGER_POLL_MS = 100;

/** Sets a chain back. @returns the exit code. */
export async function resumeChain(name: string, options: ResumeCommandOptions): Promise<number> {
  return await runStorageCommand(options, async (command) => {
    const { config, common } = command;
    const section = chainSection(config, name);
    const startBlock = Math.min(...rampsOf(watchedChain(section)).map((ramp) => ramp.startBlock));
    if (options.from < startBlock)
      throw new IndexerError(
        'RESUME_BELOW_START',
        `chain ${name} is read from StartBlock ${startBlock}: write --from ${Math.max(1, startBlock)} or more`,
        false,
      );
    const others = await otherProcesses(command, options);
    await ensureMigrated(config, common, { apply: false, use: 'write' });
    const plan = await setBack(command, section, options);
    if (options.json === true)
      printJson({ chain: name, dryRun: options.dryRun === true, otherConnections: others, ...plan });
    else print(...describe(name, plan, others, options));
    return 0;
  });
}

async function setBack(
  { config, common, signal }: StorageCommand,
  section: ChainSection,
  { from, dryRun }: ResumeCommandOptions,
): Promise<ResumePlan> {
  // to look, a database that is never read has to be opened as well
  const isRead = leadingDatabase(backendSections(config))?.ReadCondition?.Type !== 'never';
  const storage = await openStorage(config, common, dryRun === true && isRead ? 'read' : 'write');
  const rpc = openRpc(section, common);
  let cold: OpenedCold | null = null;
  try {
    await unlessStopped(signal, storage.sink.started());
    cold = openArchive(config, common);
    const plan = await unlessStopped(
      signal,
      planResume({
        chain: section.Name,
        storage: storage.sink,
        sources: chainSources(section.Selector, addressesOf(section)),
        listed: listerOf(section, storage.sink),
        archived: cold && listerOf(section, cold.storage),
        rpc,
        from,
        signal,
      }),
    );
    if (dryRun !== true) await resume(storage.sink, plan);
    return plan;
  } finally {
    await rpc.close();
    await cold?.close();
    await storage.close();
  }
}

function listerOf(section: ChainSection, storage: Storage): RecordLister {
  return createChainStore({ storage, selector: section.Selector, rampAddresses: addressesOf(section) });
}

function addressesOf(section: ChainSection): readonly Hex[] {
  return rampsOf(watchedChain(section)).map(({ address }) => address);
}

/** The cold backend that holds pruned records; null where nothing is pruned. */
function openArchive(config: Config, common: Common): OpenedCold | null {
  const sections = backendSections(config);
  const section = sections.find(({ Type }) => Type === 's3');
  const prunes = sections.some(({ Postgres }) => (Postgres?.Retention ?? 0) > 0);
  return section?.S3 && prunes ? openCold(config, { ...section, S3: section.S3 }, common) : null;
}

/** Connections of other processes to the leading database. @throws IndexerError for any, without `force`. */
async function otherProcesses(
  { config, common, signal }: StorageCommand,
  { force, dryRun }: ResumeCommandOptions,
): Promise<number> {
  const section = leadingDatabase(backendSections(config));
  if (!section) {
    if (backendSections(config).some(({ Type }) => Type === 's3')) return 0;
    throw new IndexerError(
      'RESUME_NOTHING_KEPT',
      'no backend keeps anything when the process ends: restart it, and the chain is read from its StartBlock',
      false,
    );
  }
  const { connection, namespace } = postgresOptions(section.Name, config.Namespace, section.Postgres, common);
  const inspection = await unlessStopped(signal, inspectPostgres({ name: section.Name, connection, namespace }));
  try {
    const deadlineMs = common.clock.monotonicMs() + (force === true || dryRun === true ? 0 : LINGER_MS);
    let connections = await inspection.otherConnections();
    while (connections > 0 && common.clock.monotonicMs() < deadlineMs) {
      await common.clock.sleep(LINGER_POLL_MS, signal);
      connections = await inspection.otherConnections();
    }
    if (connections === 0 || force === true || dryRun === true) return connections;
    throw new IndexerError(
      'RESUME_BUSY',
      `${connections} connections of other processes work on namespace ${namespace} of backend ` +
        `${section.Name}: stop every worker; add --force when those that are left only answer queries`,
      false,
    );
  } finally {
    await inspection.close();
  }
}

function chainSection(config: Config, name: string): ChainSection {
  const section = config.Chain.find(({ Name }) => Name === name);
  if (section) return section;
  const known = config.Chain.map(({ Name }) => Name).join(', ');
  throw new IndexerError(
    'NO_CHAIN',
    known === '' ? 'no [[Chain]] is configured' : `no chain is called ${name}: write one of ${known}`,
    false,
  );
}

function describe(name: string, plan: ResumePlan, others: number, { dryRun }: ResumeCommandOptions): string[] {
  const { from, hash, nodes, cursors, untouched, storedMessages, goneMessages } = plan;
  const back = from - 1;
  const isDry = dryRun === true;
  return [
    `chain ${name} ${isDry ? 'would be' : 'is'} set back to block ${back}, ${hash}; block ${from} is the first to ` +
      'be read again',
    ...textTable(
      [
        ['source', 'from', 'to'],
        ...cursors.map(({ sourceId, height }) => [sourceId, String(height), String(back)]),
        ...untouched.map(({ sourceId, height }) => [sourceId, String(height), 'stays']),
      ],
      '  ',
    ),
    ...nodes.map(({ url, hash: told, head }) => {
      if (head === null) return `  RPC URL ${url} gave no answer`;
      const answer = told === null ? `does not have block ${back}` : 'agrees on that block';
      return `  RPC URL ${url} ${answer}, its head is ${head}`;
    }),
    `  ${formatCount(storedMessages)} stored messages are from block ${from} on, ${formatCount(goneMessages)} of ` +
      'them in blocks that are not on the chain any more',
    ...(others > 0 ? [`  ${others} connections of other processes: a worker that runs has to be restarted`] : []),
    isDry
      ? 'nothing was changed: the same without --dry-run sets it back'
      : 'start the workers: they read on from there',
  ];
}
