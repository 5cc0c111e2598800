import type { Lease } from '../../../model/batch.js';
import type { VerifierReport } from '../../../model/verifier-report.js';
import type { LeaseStore, Member, Shares, SourceLease } from '../../lease-store.js';
import { lockClock, type RequireLead } from '../clock/clock-row.js';
import type { Namespace } from '../connection/namespace.js';
import type { SessionLimits } from '../connection/session.js';
import { type Row, statementsOf } from '../connection/statement.js';
import type { TransactionRunner } from '../connection/transaction-runner.js';
import { bigintArray, textArray } from '../rows/binary-arrays.js';
import { toBigint, toNumber, toText, toTextOrNull } from '../rows/columns.js';

const NOW_MS = '(extract(epoch FROM clock_timestamp()) * 1000)::bigint';

/**
 * The leases of a namespace: rows, so that a pooler that gives each transaction another session does no harm.
 *
 * A take locks the commit clock, as every commit does: the commit of the owner before is done or begins after it, and
 * then finds the new epoch.
 */
export function createLeaseStore(
  namespace: Namespace,
  limits: SessionLimits,
  runner: TransactionRunner,
  requireLead: RequireLead,
): LeaseStore {
  const sql = createStatements(namespace, limits);
  return {
    async beat({ member, sources, verifiers }, leaseMs, released) {
      return await runner.write('beat', async (transaction) => {
        const [, , , members, leases] = await Promise.all([
          transaction.query(sql.beat, [member, textArray(sources), leaseMs, JSON.stringify(verifiers)]),
          transaction.query(sql.sweep),
          released.length === 0 ? [] : transaction.query(sql.release, [member, ...releasedArrays(released)]),
          transaction.query(sql.members),
          transaction.query(sql.leases),
        ]);
        await transaction.commit([]);
        return sharesOf(members, leases);
      });
    },
    async take(member, sources) {
      return await runner.write('take leases', async (transaction) => {
        const [locked, taken] = await Promise.all([
          transaction.query(sql.lock),
          transaction.query(sql.take, [member, textArray(sources)]),
        ]);
        // what is taken behind the end of the lead does not go along with it
        requireLead(locked[0] ?? []);
        await transaction.commit([]);
        return taken.map((row): Lease => ({ source: toText(row[0]), owner: member, epoch: toBigint(row[1]) }));
      });
    },
    async leave(member) {
      await runner.write('leave', async (transaction) => {
        await transaction.commit([
          { statement: sql.releaseAll, values: [member] },
          { statement: sql.leave, values: [member] },
        ]);
      });
    },
    async shares() {
      const read = (statement: typeof sql.members) => runner.read('read leases', { statement, values: [] });
      const [members, leases] = await Promise.all([read(sql.members), read(sql.leases)]);
      return sharesOf(members, leases);
    },
  };
}

function createStatements(namespace: Namespace, limits: SessionLimits) {
  const statement = statementsOf(namespace);
  return {
    beat: statement(
      'beat',
      `INSERT INTO @members (member, sources, since_ms, expires_ms, verifiers, seen_ms)
       VALUES ($1::text, $2::text[], ${NOW_MS}, ${NOW_MS} + $3::bigint, $4::text, ${NOW_MS})
       ON CONFLICT (member) DO UPDATE SET sources = excluded.sources, expires_ms = excluded.expires_ms,
         verifiers = excluded.verifiers, seen_ms = excluded.seen_ms`,
    ),
    // two members that sweep each other must not wait for each other
    sweep: statement(
      'sweep_members',
      `DELETE FROM @members WHERE member IN
         (SELECT m.member FROM @members m WHERE m.expires_ms <= ${NOW_MS} FOR UPDATE SKIP LOCKED)`,
    ),
    release: statement(
      'release_leases',
      `UPDATE @leases l SET owner = NULL, since_ms = ${NOW_MS}
       FROM unnest($2::text[], $3::bigint[]) r (source, epoch)
       WHERE l.source = r.source AND l.epoch = r.epoch AND l.owner = $1::text`,
    ),
    members: statement(
      'members',
      `SELECT m.member, to_json(m.sources)::text, m.since_ms, m.verifiers, m.seen_ms FROM @members m
       WHERE m.expires_ms > ${NOW_MS} ORDER BY 1`,
    ),
    leases: statement('leases', 'SELECT l.source, l.owner, l.epoch, l.since_ms FROM @leases l ORDER BY 1'),
    lock: statement('lock_clock', lockClock(limits)),
    take: statement(
      'take_leases',
      `INSERT INTO @leases AS l (source, owner, epoch, since_ms)
       SELECT w.source, $1::text, 1, ${NOW_MS} FROM unnest($2::text[]) w (source) ORDER BY 1
       ON CONFLICT (source) DO UPDATE
         SET owner = excluded.owner, epoch = l.epoch + 1, since_ms = excluded.since_ms
         WHERE l.owner IS NULL OR l.owner = excluded.owner OR NOT EXISTS
           (SELECT FROM @members m WHERE m.member = l.owner AND m.expires_ms > ${NOW_MS})
       RETURNING l.source, l.epoch`,
    ),
    releaseAll: statement(
      'release_all_leases',
      `UPDATE @leases SET owner = NULL, since_ms = ${NOW_MS} WHERE owner = $1::text`,
    ),
    leave: statement('leave', 'DELETE FROM @members WHERE member = $1::text'),
  };
}

function releasedArrays(leases: readonly Lease[]): [Buffer, Buffer] {
  return [textArray(leases.map(({ source }) => source)), bigintArray(leases.map(({ epoch }) => epoch))];
}

function sharesOf(members: readonly Row[], leases: readonly Row[]): Shares {
  return {
    members: members.map(
      (row): Member => ({
        member: toText(row[0]),
        sources: JSON.parse(toText(row[1])) as string[],
        sinceMs: toNumber(row[2]),
        verifiers: JSON.parse(toText(row[3])) as VerifierReport[],
        seenMs: toNumber(row[4]),
      }),
    ),
    leases: leases.map(
      (row): SourceLease => ({
        source: toText(row[0]),
        owner: toTextOrNull(row[1]),
        epoch: toBigint(row[2]),
        sinceMs: toNumber(row[3]),
      }),
    ),
  };
}
