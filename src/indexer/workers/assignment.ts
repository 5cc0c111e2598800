import type { Member, Shares } from '../../storage/lease-store.js';

/**
 * The member that each source belongs to: every member of the same shares comes to the same answer.
 *
 * - An owner that is there keeps its sources, unless it has two more than another that could work on one of them: so
 *   many move as make them even, and no others.
 * - A source without an owner goes to the member that has the fewest; of several, by rendezvous hash.
 * - A source that no member is configured with belongs to none.
 */
export function assignSources({ members, leases }: Shares): ReadonlyMap<string, string> {
  const able = membersBySource(members);
  const owners = new Map(leases.map(({ source, owner }) => [source, owner]));
  const loads = new Map(members.map(({ member }) => [member, 0]));
  const assigned = new Map<string, string>();
  const loadOf = (member: string) => loads.get(member) ?? 0;
  const give = (source: string, member: string) => {
    const before = assigned.get(source);
    if (before !== undefined) loads.set(before, loadOf(before) - 1);
    assigned.set(source, member);
    loads.set(member, loadOf(member) + 1);
  };
  const sources = [...able.keys()].sort();
  for (const source of sources) {
    const owner = owners.get(source);
    if (owner && able.get(source)?.includes(owner)) give(source, owner);
  }
  for (const source of sources) {
    const least = Math.min(...(able.get(source) ?? []).map(loadOf));
    const next = firstByHash(able.get(source)?.filter((member) => loadOf(member) === least) ?? [], source);
    if (!assigned.has(source) && next !== null) give(source, next);
  }
  for (;;) {
    const move = widestGap(assigned, able, loadOf);
    if (move === null) return assigned;
    give(move.source, move.to);
  }
}

/** The member of a task, by rendezvous hash of the message id; null when there is none. */
export function memberForTask(members: readonly HashedMember[], messageId: string): string | null {
  return firstOfHashed(members, hashOf(messageId));
}

/** A member with the hash of its name. */
export interface HashedMember {
  readonly member: string;
  readonly hash: number;
}

/** @param members by name: of two with equal hashes the first is taken. */
export function hashMembers(members: readonly Pick<Member, 'member'>[]): readonly HashedMember[] {
  return members.map(({ member }) => ({ member, hash: hashOf(member) }));
}

function membersBySource(members: readonly Member[]): ReadonlyMap<string, readonly string[]> {
  const able = new Map<string, string[]>();
  for (const { member, sources } of members)
    for (const source of new Set(sources)) {
      const others = able.get(source);
      if (others) others.push(member);
      else able.set(source, [member]);
    }
  return able;
}

/** The move between the members that are furthest apart; null when no two are apart by more than one. */
function widestGap(
  assigned: ReadonlyMap<string, string>,
  able: ReadonlyMap<string, readonly string[]>,
  loadOf: (member: string) => number,
): { readonly source: string; readonly to: string } | null {
  let found: { readonly source: string; readonly to: string; readonly gap: number; readonly score: number } | null =
    null;
  for (const [source, owner] of assigned)
    for (const to of able.get(source) ?? []) {
      const gap = loadOf(owner) - loadOf(to);
      const score = mixed(hashOf(to), hashOf(source));
      if (gap >= 2 && (found === null || gap > found.gap || (gap === found.gap && score > found.score)))
        found = { source, to, gap, score };
    }
  return found;
}

function firstByHash(members: readonly string[], source: string): string | null {
  return firstOfHashed(hashMembers(members.map((member) => ({ member }))), hashOf(source));
}

function firstOfHashed(members: readonly HashedMember[], key: number): string | null {
  let first: string | null = null;
  let highest = -1;
  for (const { member, hash } of members) {
    const score = mixed(hash, key);
    if (score > highest) [first, highest] = [member, score];
  }
  return first;
}

/** FNV-1a of the UTF-16 units, 32 bits. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash;
}

/** The finalizer of MurmurHash3 over both, so that each bit of either decides. */
function mixed(member: number, key: number): number {
  let hash = member ^ key;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
