import { execFile } from 'node:child_process';
import { truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TomlTable } from 'smol-toml';
import { expect, it } from 'vitest';
import { runCli, startCommand } from '../../support/e2e/cli.js';
import { type EmittedChain, startEmittedChain } from '../../support/e2e/emitted-chain.js';
import { listMessages } from '../../support/e2e/http.js';
import { partsFixture } from '../../support/e2e/parts-fixture.js';
import { type RunningService, startServiceProcess, writeConfig } from '../../support/e2e/service.js';
import { tierStatus } from '../../support/e2e/tier-state.js';
import { directoryTable, threeTiers } from '../../support/e2e/tiers.js';
import { eventually } from '../../support/eventually.js';
import { ROOT } from '../../support/pages.js';
import { type DebianPostgres, startDebianPostgres } from '../../support/postgres/debian-postgres.js';

const parts = partsFixture();

const SOME = 'ctid = (SELECT ctid FROM drilled.verifier_results LIMIT 1)';
/** Faults of a backup, each with what the drill says. */
const FAULTS = [
  ['lacking', `DELETE FROM drilled.verifier_results WHERE ${SOME}`, /FAILED: tiers-disagree \(drill\).*: missing/],
  [
    'altered',
    `UPDATE drilled.verifier_results SET ccv_data = ccv_data || '\\x00' WHERE ${SOME}`,
    /FAILED: tiers-disagree \(drill\).*: different/,
  ],
  [
    'older',
    'DELETE FROM drilled.migrations WHERE id = (SELECT max(id) FROM drilled.migrations)',
    /schema-behind \(drill\)/,
  ],
] as const;

interface Deployment {
  readonly postgres: DebianPostgres;
  readonly uri: string;
  readonly chain: EmittedChain;
  readonly service: RunningService;
  /** Runs the drill with these options. */
  drill(...options: readonly string[]): Promise<{ readonly code: number | null; readonly said: string }>;
}

async function startDeployment(): Promise<Deployment> {
  const postgres = await startDebianPostgres();
  const chain = await startEmittedChain(91);
  parts.closing(
    () => postgres.stop(),
    () => chain.close(),
  );
  const uri = await postgres.createDatabase('live');
  const tiers = threeTiers({
    ...{ namespace: 'drilled', uri, s3: directoryTable(join(parts.path, 'cold')) },
    ...{ chains: [chain.chainSection()], verifiers: [chain.verifierSection()] },
    postgres: { Retention: 3_600 },
  });
  const { Sink } = tiers['Storage'] as { readonly Sink: { readonly Storages: TomlTable[] } };
  Sink.Storages.push(
    { Name: 'copy', Type: 's3', Required: false, S3: directoryTable(join(parts.path, 'copy')) },
    {
      ...{ Name: 'also', Type: 'postgres', Required: false, ReadCondition: { Type: 'never' } },
      Postgres: { URI: await postgres.createDatabase('also'), Retention: 3_600 },
    },
  );
  const file = writeConfig(parts.path, 'drilled.toml', tiers);
  await runCli(['migrate', 'up', '--config', file]);
  const service = await startServiceProcess('start', file);
  const environment = {
    PATH: `${postgres.programs}:${process.env['PATH']}`,
    CCV_INDEXER: `${process.execPath} scripts/bundled/run.mjs src/cli/main.ts`,
  };
  return {
    ...{ postgres, uri, chain, service },
    async drill(...options) {
      const script = join(ROOT, 'config/deploy/backup/drill.sh');
      const drill = startCommand([script, '--config', file, ...options], environment);
      const { code } = await drill.exited;
      return { code, said: drill.stdout() + drill.stderr() };
    },
  };
}

it('the drill of a backup passes beside a running deployment, and fails by what is missing, altered, older or cut', async () => {
  const { postgres, uri, chain, service, drill } = await startDeployment();
  await chain.block(60);
  await eventually('messages are listed', async () => (await listMessages(service.apiUrl)).size === 60);
  await eventually('the cold tier has some', async () => {
    return BigInt((await tierStatus(service.adminUrl, 'cold')).coverage.throughPosition) > 60n;
  });

  const backup = join(parts.path, 'backup');
  const program = (name: string, ...args: readonly string[]) =>
    promisify(execFile)(join(postgres.programs, name), args);
  await program('pg_dump', '--format=custom', '--schema=drilled', `--file=${backup}`, uri);
  // the backup is older than the deployment, and than the cold tier
  await chain.block(20);
  await eventually('messages are listed', async () => (await listMessages(service.apiUrl)).size === 80);

  const scratch = await postgres.createDatabase('scratch');
  const now = await drill('--scratch', scratch, '--database', uri);
  expect(now).toMatchObject({ code: 0, said: expect.stringMatching(/the cold tier hold the same\nPASSED/) });
  const { rows } = await postgres.sql(scratch, "SELECT FROM pg_namespace WHERE nspname = 'drilled'");
  expect(rows).toEqual([]);

  // in place of a database that does not lead
  const earlier = await drill('--scratch', scratch, '--backup', backup, '--backend', 'also');
  expect(earlier).toMatchObject({
    code: 0,
    said: expect.stringMatching(/also took [1-9]\d* records from cold.*PASSED/s),
  });

  for (const [name, sql, finding] of FAULTS) {
    const damaged = await postgres.createDatabase(name);
    await program('pg_restore', `--dbname=${damaged}`, backup);
    expect((await postgres.sql(damaged, sql)).rowCount, name).toBe(1);
    const found = await drill('--scratch', damaged, '--restored');
    expect(found, name).toMatchObject({ code: 1, said: expect.stringMatching(finding) });
  }

  await truncate(backup, 5_000);
  const cut = await drill('--scratch', scratch, '--backup', backup);
  expect(cut).toMatchObject({ code: 1, said: expect.stringContaining('FAILED: the backup cannot be restored') });

  const misnamed = await drill('--scratch', scratch, '--backup', backup, '--backend', 'main');
  expect(misnamed).toMatchObject({ code: 2, said: expect.stringContaining('no entry is called') });
  const own = await drill('--scratch', uri, '--backup', backup);
  expect(own).toMatchObject({ code: 2, said: expect.stringContaining('holds drilled already') });
});
