import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import type { TomlTable } from 'smol-toml';
import { afterAll, beforeAll } from 'vitest';
import type { ExaminedCheck } from '../../../src/app/doctor/examine.js';
import type { Finding } from '../../../src/app/doctor/finding.js';
import { type EmittedChain, startEmittedChain } from '../e2e/emitted-chain.js';
import { type CommandFixture, commandFixture } from '../e2e/fixture.js';
import { listResults } from '../e2e/http.js';
import { runHere } from '../e2e/run-here.js';
import { hotAndWarm, type RunningService, startServiceProcess, writeConfig } from '../e2e/service.js';
import { eventually } from '../eventually.js';

/** What `doctor --json` prints. */
interface DoctorJson {
  readonly severity: string | null;
  readonly exitCode: number;
  readonly checks: readonly ExaminedCheck[];
  readonly findings: readonly Finding[];
}

/** Parts of a system that differ from the healthy one. */
export interface SystemWish {
  readonly uri?: string;
  readonly chain?: TomlTable;
  readonly verifier?: TomlTable;
  readonly s3?: TomlTable;
  readonly top?: TomlTable;
}

/** A real system with a chain, a verifier and three tiers, in which four messages were verified. */
export interface DoctorSystem {
  readonly fixture: CommandFixture;
  readonly namespace: string;
  readonly coldDirectory: string;
  readonly chain: EmittedChain;
  /** The file of its configuration. */
  readonly healthy: string;
  /** Its process, until the first test is over. */
  readonly service: RunningService;
  /** The file of a configuration that differs from it. */
  variant(name: string, wish: SystemWish): string;
  /** Runs statements in its database; `@table` is that table of the namespace. */
  sql(...statements: string[]): Promise<void>;
}

/** A system for all tests of the calling file; it is there from `beforeAll` on. */
export function doctorSystem(): DoctorSystem {
  const fixture = commandFixture();
  const namespace = 'doctor';
  const coldDirectory = join(fixture.directory, 'cold');
  let chain: EmittedChain;
  let healthy: string;
  let service: RunningService;

  function variant(name: string, wish: SystemWish): string {
    const table = hotAndWarm({
      namespace,
      uri: wish.uri ?? fixture.database.uri,
      chains: [chain.chainSection({ ChainID: 1_337, ...wish.chain })],
      verifiers: [{ ...chain.verifierSection(), RequestTimeout: 2, ...wish.verifier }],
    });
    (table['Storage'] as { Sink: { Storages: TomlTable[] } }).Sink.Storages.push({
      ...{ Name: 'cold', Type: 's3' },
      S3: { Directory: coldDirectory, FlushInterval: '200ms', ...wish.s3 },
    });
    const file = writeConfig(fixture.directory, `${name}.toml`, { ...table, ...wish.top });
    // a file with a password that everybody can read is a warning
    chmodSync(file, 0o600);
    return file;
  }

  beforeAll(async () => {
    chain = await startEmittedChain(11);
    await chain.block(4);
    await chain.mine(8);
    healthy = variant('healthy', {});
    service = await startServiceProcess('start', healthy, '--migrate');
    await eventually('everything is verified', async () => (await listResults(service.apiUrl)).size === 4);
  });
  afterAll(() => chain.close());

  return {
    ...{ fixture, namespace, coldDirectory, variant },
    get chain() {
      return chain;
    },
    get healthy() {
      return healthy;
    },
    get service() {
      return service;
    },
    async sql(...statements) {
      for (const statement of statements) await fixture.database.sql(statement.replaceAll('@', `${namespace}.`));
    },
  };
}

/** Runs the doctor in this process: its JSON, and the ids of its findings with their subjects. */
export async function doctor(file: string, ...options: string[]) {
  // a busy machine takes longer than an operator waits
  const limit = options.includes('--limit') ? [] : ['--limit', '10m'];
  const { code, stdout, error } = await runHere(['doctor', '-c', file, '--json', ...limit, ...options]);
  if (!stdout) throw error;
  const json = JSON.parse(stdout) as DoctorJson;
  return { code, json, ids: json.findings.map(({ id, subject }) => `${id} ${subject}`).sort() };
}
