import { it } from 'vitest';
import { connectionUri } from '../../../../scripts/devnet/postgres/embedded-postgres.js';
import { runCli } from '../../../support/e2e/cli.js';
import { startEmittedChain } from '../../../support/e2e/emitted-chain.js';
import { get, listMessages } from '../../../support/e2e/http.js';
import { partsFixture } from '../../../support/e2e/parts-fixture.js';
import { writeConfig } from '../../../support/e2e/service.js';
import { untilColdHoldsAll } from '../../../support/e2e/tier-state.js';
import { bucketTable, startOnClock, threeTiers } from '../../../support/e2e/tiers.js';
import { eventually } from '../../../support/eventually.js';
import { createTestDatabase } from '../../../support/postgres/postgres.js';
import { startPostgresProxy } from '../../../support/postgres/proxy.js';
import { watchAlerts } from '../../../support/prometheus/alerts.js';
import { createTestS3Store } from '../../../support/s3/object-store.js';
import { newBucketName } from '../../../support/s3/server.js';
import { s3ServerFixture } from '../../../support/s3/server-fixture.js';
import { startS3Proxy } from '../../../support/s3/server-proxy.js';

const NAMESPACE = 'stored';
/** The quarter of a day of its longest threshold passes in 22 s. */
const HASTE = 1_000;
const MESSAGES = 400;

const s3 = s3ServerFixture();
const parts = partsFixture();

it('alerts of storage fire when Postgres and S3 are slow, and away', async () => {
  const bucket = newBucketName();
  await (await createTestS3Store(s3.server, { bucket })).close();
  const objects = await startS3Proxy(s3.server);
  const database = await createTestDatabase({ migrated: false });
  const postgres = await startPostgresProxy(database.tcp);
  const chain = await startEmittedChain(81);
  parts.closing(
    () => objects.stop(),
    () => database.drop(),
    () => postgres.close(),
    () => chain.close(),
  );
  const tiers = threeTiers({
    ...{ namespace: NAMESPACE, uri: connectionUri(postgres.tcp), hotSeconds: 1 },
    s3: bucketTable(s3.server, bucket, { Endpoint: objects.endpoint, MaxAttempts: 1, RequestTimeout: 1 }),
    ...{ chains: [chain.chainSection()], verifiers: [chain.verifierSection()] },
    postgres: { MaxOpenConnections: 4 },
  });
  const config = { ...tiers, API: { ListenAddress: '127.0.0.1', ListenPort: 0, AnswerPartBytes: 65_536 } };
  const file = writeConfig(parts.path, 'stored.toml', config);
  await runCli(['migrate', 'up', '--config', file]);
  // records grow old ten times as fast
  const service = await startOnClock('start', file, { sinceMs: Date.now(), behindMs: 600_000, speed: 10 });
  await chain.block(MESSAGES);
  await eventually('messages are listed', async () => (await listMessages(service.apiUrl)).size === MESSAGES);
  await untilColdHoldsAll(service.adminUrl, database, NAMESPACE);
  const alerts = await watchAlerts([service.adminUrl], HASTE);
  parts.closing(() => alerts.close());
  const asking = setInterval(
    () => void get(`${service.apiUrl}/v1/messages?limit=1&offset=300`).catch(() => undefined),
    50,
  );
  parts.closing(() => clearInterval(asking));

  await alerts.fire(
    async () => {
      await eventually('an answer is broken', async () => {
        await postgres.open();
        const answer = await fetch(`${service.apiUrl}/v1/messages?limit=1000`);
        await postgres.shut();
        return await answer.text().then(
          () => false,
          () => true,
        );
      });
    },
    'CcvIndexerAnswersBroken',
    'CcvIndexerStorageErrors',
    'CcvIndexerApiErrors',
  );
  await postgres.open();

  await alerts.fire(
    async () => {
      objects.always({ kind: 'hang' });
      await chain.block(10);
    },
    'CcvIndexerTierLagging',
    'CcvIndexerColdWritesFailing',
    'CcvIndexerObjectStoreDown',
    'CcvIndexerPruningHeld',
  );
  objects.always({ kind: 'pass' });

  let locked: Promise<unknown> | undefined;
  await alerts.fire(() => {
    locked = database.sql(`BEGIN; LOCK TABLE ${NAMESPACE}.messages; SELECT pg_sleep(30); ROLLBACK`);
  }, 'CcvIndexerConnectionsExhausted');
  await locked;
});
