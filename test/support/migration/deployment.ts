import { afterEach, beforeEach } from 'vitest';
import { openEnds } from '../../../src/app/move/ends.js';
import { type OpenedStorage, openStorage } from '../../../src/app/open-storage.js';
import { parseConfig } from '../../../src/config/load.js';
import type { Config } from '../../../src/config/schema/schema.js';
import { type Common, createCommon } from '../../../src/core/common.js';
import { createMove, type Move } from '../../../src/migration/move.js';
import type { MoveEnds } from '../../../src/migration/move-ends.js';
import { eventually } from '../eventually.js';
import { createTestDatabase, type TestDatabase } from '../postgres/postgres.js';
import { createRecordMaker, type RecordMaker } from '../records.js';

/** A deployment that moves from one database to another: its configuration, and its processes as they are opened. */
export interface MovingDeployment {
  readonly config: Config;
  readonly ends: MoveEnds;
  readonly move: Move;
  /** Resolves once every process works by the phase of the move. */
  inStep(): Promise<void>;
  /** Walks the first three phases, and waits until the new database holds everything. A worker has to be there. */
  backfill(): Promise<void>;
  /** Brings the move into the phase `comparing`, as after a comparison without a difference. */
  compare(): Promise<void>;
  /** Opens the storage of another process of the role. */
  open(use: 'write' | 'read', common?: Common): Promise<OpenedStorage>;
  close(): Promise<void>;
}

/** @param migration more keys of `[Migration]`. @param cold a directory for a cold tier. */
function createMovingDeployment(
  from: Pick<TestDatabase, 'uri'>,
  to: Pick<TestDatabase, 'uri'>,
  { migration = {}, cold }: { readonly migration?: Record<string, unknown>; readonly cold?: string } = {},
): MovingDeployment {
  const config = parseConfig(
    {
      Storage: {
        Strategy: 'sink',
        Sink: {
          Storages: [
            { Name: 'hot', Type: 'memory', Memory: { MaxSize: 500 } },
            { Name: 'old', Type: 'postgres', Postgres: { URI: from.uri, ConnectTimeout: 2 } },
            { Name: 'new', Type: 'postgres', Postgres: { URI: to.uri, ConnectTimeout: 2 } },
            ...(cold ? [{ Name: 'cold', Type: 's3', S3: { Directory: cold, FlushInterval: 1 } }] : []),
          ],
        },
      },
      Migration: { From: 'old', To: 'new', ...migration },
    },
    'test.toml',
  );
  const common = createCommon();
  const ends = openEnds(config, common);
  const move = createMove(ends, common);
  const opened: OpenedStorage[] = [];
  return {
    ...{ config, ends, move },
    async inStep() {
      await eventually('every process works by the phase', async () => {
        const { view, processes } = await move.look();
        return processes.every(({ revision }) => revision === view.state?.revision);
      });
    },
    async backfill() {
      await move.run('prepare');
      await move.run('start');
      const isThere = async () => (await move.look()).processes.some(({ role }) => role === 'worker');
      await eventually('a worker is there', isThere);
      await move.run('backfill');
      await eventually('the backfill has ended', async () => (await ends.to.moves.look()).backfill === null);
    },
    async compare() {
      await move.run('compare');
      await move.compared({ atMs: 0, throughPosition: '0', records: 0, differences: 0 });
    },
    async open(use, own = createCommon()) {
      const storage = await openStorage(config, own, use);
      opened.push(storage);
      return storage;
    },
    async close() {
      await Promise.all(opened.map((storage) => storage.close()));
      await Promise.all([ends.from.storage.close(), ends.to.storage.close()]);
    },
  };
}

/** A deployment between two databases of its own, anew for each test of a file. */
export function freshMovingDeployment(seed: number): () => {
  readonly from: TestDatabase;
  readonly to: TestDatabase;
  readonly deployment: MovingDeployment;
  readonly make: RecordMaker;
} {
  let fresh: ReturnType<ReturnType<typeof freshMovingDeployment>> | null = null;
  beforeEach(async () => {
    const [from, to] = await Promise.all([createTestDatabase(), createTestDatabase()]);
    fresh = { from, to, deployment: createMovingDeployment(from, to), make: createRecordMaker(seed) };
  });
  afterEach(async () => {
    await fresh?.deployment.close();
    await Promise.all([fresh?.from.drop(), fresh?.to.drop()]);
  });
  return () => {
    if (!fresh) throw new Error('a deployment is there only within a test');
    return fresh;
  };
}
