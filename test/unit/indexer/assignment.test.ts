import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../../src/core/random.js';
import { assignSources, hashMembers, memberForTask } from '../../../src/indexer/workers/assignment.js';
import type { Member, Shares } from '../../../src/storage/lease-store.js';

const member = (name: string, sources: readonly string[]): Member => ({
  member: name,
  sources,
  sinceMs: 0,
  verifiers: [],
  seenMs: 0,
});
const sourcesOf = (count: number) => Array.from({ length: count }, (_, index) => `chain:${index}`);

/** The leases after every source has gone to the member that it belongs to. */
function settled(assigned: ReadonlyMap<string, string>): Shares['leases'] {
  return [...assigned].map(([source, owner]) => ({ source, owner, epoch: 1n, sinceMs: 0 }));
}

function loads(assigned: ReadonlyMap<string, string>, members: readonly Member[]): readonly number[] {
  return members.map(({ member }) => [...assigned.values()].filter((owner) => owner === member).length);
}

function moved(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): readonly string[] {
  return [...after].filter(([source, owner]) => before.get(source) !== owner).map(([source]) => source);
}

describe('the assignment of sources', () => {
  it('stays even through joins and leaves, and moves no more than it must', () => {
    const random = seededRandom(9);
    const drawn = (below: number) => Math.floor(random() * below);
    for (let round = 0; round < 60; round += 1) {
      const sources = sourcesOf(1 + drawn(30));
      let members = [member('m0', sources)];
      let assigned = assignSources({ members, leases: [] });
      for (let step = 1; step <= 12; step += 1) {
        const joins = members.length === 1 || random() < 0.5;
        const leaver = members[drawn(members.length)]!;
        const next = joins ? [...members, member(`m${step}`, sources)] : members.filter((each) => each !== leaver);
        const after = assignSources({ members: next, leases: settled(assigned) });
        const moves = moved(assigned, after);
        const least = Math.floor(sources.length / next.length);
        const counts = loads(after, next);
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
        if (joins) {
          // all to the one that joins, and only its share
          expect(moves.map((source) => after.get(source))).toEqual(moves.map(() => `m${step}`));
          expect(moves).toHaveLength(least);
        } else expect(moves.map((source) => assigned.get(source))).toEqual(moves.map(() => leaver.member));
        // the next look, with every source where it belongs, moves nothing
        expect(moved(after, assignSources({ members: next, leases: settled(after) }))).toEqual([]);
        [members, assigned] = [next, after];
      }
    }
  });

  it('does not depend on the order in which members and leases are told', () => {
    const sources = sourcesOf(17);
    const members = ['a', 'b', 'c', 'd'].map((name) => member(name, sources));
    const leases = settled(assignSources({ members: members.slice(0, 2), leases: [] }));
    const told = assignSources({ members, leases });
    const other = assignSources({ members: members.toReversed(), leases: leases.toReversed() });
    expect([...other].sort()).toEqual([...told].sort());
  });

  it('gives a source to none but those that are configured with it', () => {
    const members = [member('a', ['x', 'y']), member('b', ['y', 'z']), member('c', [])];
    const leases = [
      { source: 'y', owner: 'c', epoch: 4n, sinceMs: 0 },
      { source: 'of a chain that was removed', owner: 'a', epoch: 1n, sinceMs: 0 },
    ];
    const assigned = assignSources({ members, leases });
    expect([assigned.get('x'), assigned.get('z')]).toEqual(['a', 'b']);
    expect(['a', 'b']).toContain(assigned.get('y'));
    expect(assigned.size).toBe(3);
  });

  it('takes a source away from an owner that is gone, and from no other while all are even', () => {
    const members = [member('a', sourcesOf(2)), member('b', sourcesOf(2))];
    const leases = [
      { source: 'chain:0', owner: 'gone', epoch: 1n, sinceMs: 0 },
      { source: 'chain:1', owner: 'b', epoch: 1n, sinceMs: 0 },
    ];
    expect(Object.fromEntries(assignSources({ members, leases }))).toEqual({ 'chain:0': 'a', 'chain:1': 'b' });
  });
});

describe('the sharing of tasks', () => {
  const random = seededRandom(10);
  const ids = Array.from(
    { length: 3_000 },
    () => `0x${Array.from({ length: 64 }, () => Math.floor(random() * 16).toString(16)).join('')}`,
  );
  const four = hashMembers(
    ['host:1:aaaaaaaa', 'host:1:aaaaaaab', 'host:2:00000000', 'x'].map((each) => member(each, [])),
  );

  it('gives each member its part, and moves the tasks of one that leaves and no others', () => {
    const before = ids.map((id) => memberForTask(four, id));
    for (const { member: gone } of four) {
      const part = before.filter((owner) => owner === gone).length / ids.length;
      expect(part).toBeGreaterThan(0.2);
      expect(part).toBeLessThan(0.3);
      const left = four.filter(({ member }) => member !== gone);
      for (const [index, id] of ids.entries())
        if (before[index] !== gone) expect(memberForTask(left, id)).toBe(before[index]);
        else expect(memberForTask(left, id)).not.toBe(gone);
    }
  });

  it('has one member for each task, none without members', () => {
    expect(memberForTask([], ids[0]!)).toBeNull();
    for (const id of ids.slice(0, 50)) expect(memberForTask(four.slice(2, 3), id)).toBe('host:2:00000000');
  });
});
