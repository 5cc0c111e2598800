import { expect, test } from 'vitest';
import { silentLogger } from '../../../../src/core/logger.js';
import type { ChangeSet } from '../../../../src/model/batch.js';
import { createAdvanceHub } from '../../../../src/storage/postgres/clock/advance-hub.js';

test('a listener that throws keeps neither the others from hearing nor the committer from going on', () => {
  const hub = createAdvanceHub(silentLogger, 'warm');
  const told: string[] = [];
  hub.subscribe(() => {
    throw new Error('listener');
  });
  hub.subscribe(({ kind }) => told.push(kind));
  hub.committed({ throughPosition: 1n } as ChangeSet);
  hub.advanced(2n);
  expect(told).toEqual(['committed', 'advanced']);
});
