import type { StoredConflict, StoredQuarantineEntry } from '../../model/records.js';
import { conflicted, quarantined, type Refusals } from '../../storage/postgres/diagnosis/quarantine.js';
import type { NamedSection } from '../backend-sections.js';
import type { Means } from './check.js';
import { withDatabase } from './databases.js';
import { type LoneBackend, withBackend } from './record.js';

/** Entries of the cold tier that are read at a time. */
const PAGE = 500;

/** What a backend has refused, in groups. */
export interface RefusedInput {
  readonly quarantined: readonly Refusals[];
  readonly conflicted: readonly Refusals[];
}

/** Counts the quarantined input and the conflicts of a backend; `sinceMs`: from when on they are recent. */
export async function refusedInput(section: NamedSection, means: Means, sinceMs: number): Promise<RefusedInput> {
  if (section.Type === 'postgres')
    return await withDatabase(section, means, async (diagnosis) => ({
      quarantined: await quarantined(diagnosis, sinceMs),
      conflicted: await conflicted(diagnosis, sinceMs),
    }));
  return await withBackend(section, means, async (backend) => {
    const entries = await pages((page) => backend.queryQuarantine(page));
    const conflicts = await pages((page) => backend.queryConflicts(page));
    return {
      quarantined: grouped(entries, sinceMs, ({ sourceId, reason, detail }) => [sourceId, reason, detail]),
      conflicted: grouped(conflicts, sinceMs, ({ record, messageId }) => [
        ...([record === 'message' ? 'messages' : 'verifier results', 'conflict', messageId] as const),
      ]),
    };
  });
}

type Page = Parameters<LoneBackend['queryQuarantine']>[0];

async function pages<T extends { readonly position: bigint }>(
  read: (page: Page) => Promise<readonly T[]>,
): Promise<readonly T[]> {
  const all: T[] = [];
  for (let afterPosition = 0n; ; ) {
    const page = await read({ afterPosition, limit: PAGE });
    all.push(...page);
    const last = page.at(-1);
    if (!last || page.length < PAGE) return all;
    afterPosition = last.position;
  }
}

function grouped<T extends StoredQuarantineEntry | StoredConflict>(
  entries: readonly T[],
  sinceMs: number,
  factsOf: (entry: T) => readonly [source: string, reason: string, detail: string],
): readonly Refusals[] {
  const groups = new Map<string, Refusals>();
  for (const entry of entries) {
    const [source, reason, lastDetail] = factsOf(entry);
    const key = `${source}\0${reason}`;
    const { entries: before = 0, recent = 0 } = groups.get(key) ?? {};
    const isRecent = entry.ingestionMs >= sinceMs;
    const figures = { entries: before + 1, recent: recent + (isRecent ? 1 : 0), lastMs: entry.ingestionMs };
    groups.set(key, { source, reason, lastDetail, ...figures });
  }
  return [...groups.values()];
}
