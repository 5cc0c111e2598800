import { logOf } from '../../../src/model/identity.js';
import type { NewMessage } from '../../../src/model/records.js';
import type { Storage } from '../../../src/storage/storage.js';
import type { RecordMaker } from '../records.js';

/**
 * Lets happen to `storage`, in `rounds`, all that a store goes through: new messages and results, duplicates, statuses,
 * orphanings and returns, origins that change, conflicts, quarantined input and cursors. @returns the messages stored.
 */
export async function liveEventfully(storage: Storage, make: RecordMaker, rounds: number): Promise<NewMessage[]> {
  const stored: NewMessage[] = [];
  const sourceId = `chain:${make.hex(4)}`;
  let height: bigint | null = null;
  for (let round = 0; round < rounds; round += 1) {
    const messages = [make.message({ ccvs: [make.hex(20), make.hex(20)] }), make.message(), make.message()];
    const [a, b, c] = messages as [NewMessage, NewMessage, NewMessage];
    stored.push(...messages);
    const next: bigint = (height ?? 0n) + 1n;
    await storage.insertBatch({
      messages,
      verifierResults: [make.result(a), make.result(b)],
      cursors: [{ sourceId, height: next, hash: make.hex(32), expectedHeight: height }],
    });
    height = next;
    await storage.insertBatch({ messages: [a], verifierResults: [make.result(a, 1)] });
    const executions = [make.execution(a), make.execution(a, { blockNumber: 1001n })];
    await storage.insertBatch({ statuses: [{ messageId: a.messageId, status: 'success' }], executions });
    if (round % 3 === 0) await storage.insertBatch({ executionOrphanings: executions.slice(1).map(logOf) });
    await storage.insertBatch({ orphanings: [{ messageId: b.messageId, blockHash: b.origin!.blockHash }] });
    if (round % 2 === 0) await storage.insertBatch({ messages: [{ ...b, origin: make.origin(900n) }] });
    await storage.insertBatch({
      messages: [{ ...c, messageExecutorAddress: make.hex(20) }],
      statuses: [{ messageId: c.messageId, status: 'timeout' }],
      quarantine: [
        {
          sourceId,
          key: make.hex(8),
          reason: 'ABI',
          detail: 'four topics',
          raw: make.bytes(9),
          messageId: c.messageId,
        },
      ],
    });
  }
  return stored;
}
