import { compareRecords } from '../../../migration/parity/compare.js';
import type { Change } from '../../../model/batch.js';
import { changedRecord } from '../../../model/identity.js';
import { backendSections, type NamedSection } from '../../backend-sections.js';
import { defineCheck, type Look } from '../check.js';
import { type LoneBackend, recordSection, withBackend } from '../record.js';
import { sampleAgreement } from '../tier-sample.js';

/** A follower in Postgres is seconds behind. */
const MOST_LAG_MS = 60_000;
const BAD_LAG_MS = 3_600_000;
/** Differences that are named. */
const SAMPLE = 5;

type Id = 'tier-empty' | 'tier-behind' | 'tier-ahead' | 'tiers-gap' | 'tiers-disagree';

/** What the durable tiers cover, how far each follows, and whether they hold the same. */
export const tierCheck = defineCheck<Id>({
  name: 'tiers',
  about:
    'what the durable tiers cover, how far each is behind, and whether they hold the same: records of random message ' +
    'ids; every record with `--full`',
  kinds: {
    'tier-empty': {
      severity: 'warning',
      meaning: 'A tier that should follow holds nothing: it is new, or its name or place is mistyped.',
      next: 'start a worker, which fills it; or correct Namespace and the place of the backend',
    },
    'tier-behind': {
      severity: 'warning',
      meaning: 'A tier lacks commits that the leader has had for longer than it should take.',
      next: 'start a worker if none runs; else lag and lastError of the tier on the /status page of a worker',
    },
    'tier-ahead': {
      severity: 'critical',
      meaning: 'A tier holds commits that the leader lacks: the database was set back, and lost acknowledged records.',
      next: 'stop the workers, then `ccv-indexer storage restore`',
    },
    'tiers-gap': {
      severity: 'critical',
      meaning: 'Records were pruned from the database that no other tier holds: answers about them are errors.',
      next: 'see whether the cold tier was set back or replaced; restore its bucket from a copy',
    },
    'tiers-disagree': {
      severity: 'critical',
      meaning: 'Two tiers hold other bytes of the same records, so answers depend on the tier that gives them.',
      next: '`ccv-indexer storage verify`, and find out who has changed the one that is wrong',
    },
  },
  async run(look) {
    const record = recordSection(look.config);
    const others = backendSections(look.config).filter(({ Type, Name }) => Type !== 'memory' && Name !== record?.Name);
    if (!record || others.length === 0) return;
    await look.each(
      [record],
      ({ Name }) => Name,
      async (section) => {
        await withBackend(section, look, async (leader) => {
          // until it is asked, it knows of no coverage
          await leader.listCursors();
          await look.each(
            others,
            ({ Name }) => Name,
            async (other) => {
              await withBackend(other, look, async (follower) => {
                await follower.listCursors();
                await compare(leader, follower, other, look);
              });
            },
          );
        });
      },
    );
  },
});

async function compare(
  leader: LoneBackend,
  follower: LoneBackend,
  section: NamedSection,
  look: Look<Id>,
): Promise<void> {
  const { common, isFull, signal, found } = look;
  const [head, theirs] = [leader.coverage(), follower.coverage()];
  const position = theirs.throughPosition;
  if (position > head.throughPosition)
    return found('tier-ahead', section.Name, { position, leader: leader.name, leaderPosition: head.throughPosition });
  if (head.afterPosition > position)
    found('tiers-gap', section.Name, { position, leader: leader.name, prunedTo: head.afterPosition });
  else if (position < head.throughPosition) await tellLag(leader, position, section, look);
  if (position === 0n) return;
  const agreement = isFull
    ? await compareAll(leader, follower, look)
    : await sampleAgreement(leader, follower, { random: common.random, signal });
  if (agreement.differing > 0) found('tiers-disagree', section.Name, { leader: leader.name, ...agreement });
}

/** A commit that the follower lacks is late by the time since the leader made it. */
async function tellLag(
  leader: LoneBackend,
  position: bigint,
  { Name, S3 }: NamedSection,
  { common, found }: Look<Id>,
): Promise<void> {
  if (position === 0n) return found('tier-empty', Name, { leader: leader.name });
  const { changes, headMs, headPosition } = await leader.changesAfter(position);
  const { ingestionMs: heldMs } = await leader.boundaryAt({ position });
  const missing = changes.find(isNew);
  // a record that was changed is older than its change
  const sinceMs = missing ? Math.max(missing.record.ingestionMs, heldMs) : headMs;
  const behindMs = common.clock.nowMs() - sinceMs;
  // a record that waits for its flush is not late
  const mostMs = MOST_LAG_MS + 2 * (S3?.FlushInterval ?? 0);
  if (behindMs <= mostMs) return;
  const evidence = { position, leader: leader.name, leaderPosition: headPosition, behindMs, mostMs };
  found('tier-behind', Name, evidence, behindMs > Math.max(BAD_LAG_MS, mostMs) ? { severity: 'error' } : {});
}

/** A change with the time of its commit: of a message that moved on, and of a cursor, the time is another. */
function isNew(change: Change): change is Exclude<Change, { kind: 'cursor' }> {
  return change.kind !== 'cursor' && (change.kind !== 'message' || change.record.status === 'processing');
}

/** Every record of both, see `compareRecords`. */
async function compareAll(
  leader: LoneBackend,
  follower: LoneBackend,
  { common, signal }: Look<Id>,
): Promise<{ readonly compared: number; readonly differing: number; readonly examples: readonly string[] }> {
  const report = await compareRecords({
    ...{ common, signal },
    leader: { storage: leader },
    follower: { storage: follower },
  });
  const { missing, surplus, different } = report.differenceCounts;
  return {
    compared: report.records,
    differing: missing + surplus + different,
    examples: report.differences.slice(0, SAMPLE).map(({ what, ref }) => `${changedRecord(ref)}: ${what}`),
  };
}
