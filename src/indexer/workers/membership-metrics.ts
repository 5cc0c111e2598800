import { counter, gauge, type Registry } from '../../core/metrics.js';

/** Numbers of the sharing of sources. */
export interface MembershipMetrics {
  members(count: number): void;
  owned(count: number): void;
  beat(isStored: boolean): void;
  lost(): void;
}

export function createMembershipMetrics(registry: Registry): MembershipMetrics {
  const members = gauge(registry, {
    name: 'indexer_members',
    help: 'Workers that share the sources, this one included',
  });
  const owned = gauge(registry, { name: 'indexer_sources_owned', help: 'Sources that this worker owns' });
  const renewals = counter(registry, {
    name: 'indexer_lease_renewals_total',
    help: 'Times this worker renewed its leases, or could not',
    labelNames: ['outcome'],
  });
  const losses = counter(registry, {
    name: 'indexer_lease_losses_total',
    help: 'Sources that another worker took from this one',
  });
  return {
    members: (count) => members.set(count),
    owned: (count) => owned.set(count),
    beat: (isStored) => renewals.inc({ outcome: isStored ? 'ok' : 'failed' }),
    lost: () => losses.inc(),
  };
}
