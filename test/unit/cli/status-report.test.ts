import { expect, it } from 'vitest';
import { createStatusReport } from '../../../src/app/status-report.js';
import { createCommon } from '../../../src/core/common.js';
import { createSimpleSink } from '../../../src/sink/sink.js';
import { createMemoryStorage } from '../../../src/storage/memory/memory-storage.js';
import { createFaultyStorage } from '../../support/sink/faulty-storage.js';

it('a status page that is asked for while it still counts does not count twice, and counts anew afterwards', async () => {
  const common = createCommon();
  const memory = createFaultyStorage(createMemoryStorage({ name: 'only', common }));
  const sink = createSimpleSink([memory.storage], common);
  const report = createStatusReport({
    common,
    sink,
    leases: null,
    move: null,
    indexer: null,
    role: 'both',
    served: [],
  });
  const letGo = memory.hold('count');

  const pages = [report(), report(), report()];
  letGo();
  for (const page of await Promise.all(pages))
    expect(page).toMatchObject({ counts: { messages: 0, verifierResults: 0 } });
  expect(memory.calls('count')).toBe(2); // one of each kind
  await report();
  expect(memory.calls('count')).toBe(4);

  memory.fail(['count']);
  expect(await report()).toMatchObject({ counts: { messages: { unavailable: 'COVERAGE_GAP' } } });
  memory.heal();
  expect(await report()).toMatchObject({ counts: { messages: 0 } });
  await sink.close();
});
