import { toError } from '../core/errors.js';
import type { Logger } from '../core/logger.js';
import type { Backend } from './backend.js';

/** Closes the storages that the Sink does not only borrow, the leader last, and then throws the first failure. */
export async function closeBackends(backends: readonly Backend[], log: Logger): Promise<void> {
  const own = backends.filter(({ lent }) => !lent);
  const inOrder = own.sort((a, b) => Number(a.follower === null) - Number(b.follower === null));
  let failure: Error | undefined;
  for (const { storage } of inOrder)
    try {
      await storage.close();
    } catch (thrown) {
      failure ??= toError(thrown);
      log.error({ backend: storage.name, err: thrown }, 'backend failed to close');
    }
  if (failure) throw failure;
}
