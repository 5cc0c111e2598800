import { allColdSections, openCold } from '../../../src/app/cold-backends.js';
import { openEnds } from '../../../src/app/move/ends.js';
import { loadConfig } from '../../../src/config/load.js';
import { createCommon } from '../../../src/core/common.js';
import { compareRecords } from '../../../src/migration/parity/compare.js';
import type { Page } from '../../../src/model/list-query.js';
import { eventually } from '../../../test/support/eventually.js';
import type { MoveClients } from './clients.js';
import type { KnownList } from './known-list.js';

/**
 * Compares the databases of a move that is switched and no longer written to: with each other record by record, and the
 * one that leads with its clients and the sources. @returns the differences.
 */
export async function compareEnds(
  configFile: string,
  { messages, results }: Pick<MoveClients, 'messages' | 'results'>,
  sent: readonly string[],
): Promise<string[]> {
  const common = createCommon();
  const config = loadConfig({ file: configFile });
  const ends = openEnds(config, common);
  const [section] = allColdSections(config);
  const cold = section ? openCold(config, section, common) : null;
  // what was pruned is compared where it went
  const past = cold ? { past: cold.storage } : {};
  const wrongs: string[] = [];
  try {
    await eventually('both databases to stand at one head', async () => {
      const [from, to] = [await ends.from.moves.look(), await ends.to.moves.look()];
      return from.isWhole && to.isWhole && from.head.position === to.head.position;
    });
    const report = await compareRecords({
      ...{ leader: { storage: ends.to.storage, ...past }, follower: { storage: ends.from.storage, ...past }, common },
    });
    const { records, throughPosition, targetPosition, differences, changedSince } = report;
    if (records < sent.length * 2) wrongs.push(`${records} records were compared, ${sent.length} messages sent`);
    if (throughPosition !== targetPosition || changedSince > 0) wrongs.push('the comparison left something out');
    for (const { what, ref } of differences) wrongs.push(`the old database: ${what} ${JSON.stringify(ref)}`);
    const { storage } = ends.to;
    wrongs.push(
      ...(await listFaults(
        'messages',
        messages,
        (cursor) => storage.queryMessages({ limit: 1_000, ...cursor }),
        ({ messageId }) => messageId,
      )),
      ...(await listFaults(
        'results',
        results,
        (cursor) => storage.queryCCVData({ limit: 1_000, ...cursor }),
        ({ messageId, verifierSourceAddress }) => `${messageId} ${verifierSourceAddress}`,
      )),
    );
    for (const [name, { records: shown }] of Object.entries({ messages, results })) {
      const ids = new Set(shown.map(({ id }) => id.slice(0, 66)));
      const lost = sent.filter((id) => !ids.has(id));
      if (lost.length > 0 || ids.size !== sent.length)
        wrongs.push(`${name}: ${ids.size} shown of ${sent.length} sent; not shown: ${lost.slice(0, 3).join(' ')}`);
    }
    return wrongs;
  } finally {
    await Promise.all([ends.from.storage.close(), ends.to.storage.close(), cold?.close()]);
  }
}

/** The stored list and the one that its clients know are one: the same records with the same times, in one order. */
async function listFaults<T extends { readonly ingestionMs: number }>(
  name: string,
  known: KnownList,
  read: (cursor: { readonly cursor?: string }) => Promise<Page<T>>,
  idOf: (record: T) => string,
): Promise<string[]> {
  const stored: string[] = [];
  for (let cursor: string | null | undefined; cursor !== null; ) {
    const page: Page<T> = await read(cursor === undefined ? {} : { cursor });
    stored.push(...page.items.map((record) => `${record.ingestionMs} ${idOf(record)}`));
    cursor = page.nextCursor;
  }
  const shown = known.records.map(({ ingestionMs, id }) => `${ingestionMs} ${id}`);
  const place = stored.findIndex((record, index) => record !== shown[index]);
  if (place === -1 && stored.length === shown.length) return [];
  return [`${name}: ${stored.length} stored, ${shown.length} shown; at ${place} ${stored[place]}, not ${shown[place]}`];
}
