import type { Clock } from '../core/clock.js';
import type { Health, Storage } from '../storage/storage.js';

/** Load balancers give up after a few seconds: say no before they do. */
const READY_LIMIT_MS = 3_000;

/** Whether the storage does its work now; one that does not say in time does not. */
export function readiness(storage: Pick<Storage, 'health'>, clock: Clock): Promise<Health> {
  return new Promise((resolve, reject) => {
    const silent = { healthy: false, reason: `no answer in ${READY_LIMIT_MS} ms` } as const;
    const cancel = clock.after(READY_LIMIT_MS, () => resolve(silent));
    storage.health().then(resolve, reject).finally(cancel);
  });
}
