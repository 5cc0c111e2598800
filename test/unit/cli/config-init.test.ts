import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, expect, it, vi } from 'vitest';
import { draftFiles } from '../../../src/cli/config/draft.js';
import { runInit } from '../../../src/cli/config/init.js';
import { askForDraft, createQuestions } from '../../../src/cli/config/questions.js';
import { checkConfig } from '../../../src/config/load.js';

const directory = mkdtempSync(join(tmpdir(), 'ccv-init-'));
afterAll(() => rmSync(directory, { recursive: true }));

const URI = 'postgresql://ccv:a-long-pass@localhost:5432/ccv';
const ADDRESS = `0x${'a1'.repeat(20)}`;
let named = 0;

function files() {
  named += 1;
  return { output: join(directory, `${named}.toml`), secretsOutput: join(directory, `${named}-secrets.toml`) };
}

it('writes two files from options that make a configuration without a warning, for their owner alone', async () => {
  const place = files();
  const told = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
  await runInit({
    ...place,
    namespace: 'sepolia',
    database: URI,
    chain: [
      `name=sepolia,selector=16015286601757825753,rpc=https://node.acme.io/v2/aaaaaaaaaaaaaaa1,rpc=https://b.acme.io/?k=v,onramp=${ADDRESS},start=7`,
    ],
    aggregator: ['address=aggregator.acme.io:443'],
    verifier: [
      `name=a,url=https://verifier.acme.io,issuer=${ADDRESS}`,
      `name=b,address=b.acme.io:443,issuer=${ADDRESS}`,
    ],
    bucket: 'archive',
    region: 'eu-central-1',
    endpoint: 'https://s3.acme.io',
  });
  expect(told.mock.calls.join('')).toMatch(
    /next:\n {2}ccv-indexer config check .* --online\n {2}ccv-indexer migrate up/,
  );
  told.mockRestore();
  const { config, warnings } = checkConfig({ file: place.output, secretsFile: place.secretsOutput });
  expect(warnings).toEqual([]);
  expect(config.Namespace).toBe('sepolia');
  expect(config.Chain[0]).toMatchObject({ StartBlock: 7, RpcUrls: [expect.anything(), 'https://b.acme.io/?k=v'] });
  expect(config.Verifier.map(({ Type }) => Type)).toEqual(['rest', 'aggregator']);
  expect(config.Storage.Sink?.Storages.map(({ Name }) => Name)).toEqual(['hot', 'warm', 'cold']);
  expect(config.Storage.Sink?.Storages[1]?.Postgres?.URI).toBe(URI);
  expect(config.Admin.BearerToken).toMatch(/^[0-9a-f]{64}$/);
  for (const file of Object.values(place)) expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(readFileSync(place.output, 'utf8')).not.toContain('a-long-pass');
  // one that all may read is none that only its owner may read once it is written anew
  for (const file of Object.values(place)) chmodSync(file, 0o644);
  vi.spyOn(process.stdout, 'write').mockReturnValueOnce(true);
  await runInit({ ...place, database: URI, force: true });
  vi.restoreAllMocks();
  for (const file of Object.values(place)) expect(statSync(file).mode & 0o777).toBe(0o600);
  // what was written is left alone
  await expect(runInit({ ...place, database: URI })).rejects.toThrow(/exists: name another file, or pass --force/);
});

it.each([
  ['no database and no terminal', {}, /no terminal to ask at: pass --database/],
  ['a key that no chain has', { database: URI, chain: ['nam=a'] }, /--chain has "nam=a": write name=…,selector=…/],
  [
    'an address that is none',
    { database: URI, verifier: ['name=a,url=https://v.acme.io,issuer=0x1'] },
    /IssuerAddresses/,
  ],
  ['a URI that is none', { database: 'nope' }, /Postgres.URI: write a URI/],
])('writes nothing with %s', async (_what, options, error) => {
  const place = files();
  await expect(runInit({ ...place, ...options }, false)).rejects.toThrow(error);
  for (const file of Object.values(place)) expect(statSync(file, { throwIfNoEntry: false })).toBeUndefined();
});

it('asks until each answer is one, and for as many chains, aggregators and verifiers as there are', async () => {
  const input = new PassThrough();
  const output = new PassThrough();
  const questions = createQuestions(input, output);
  const asked: string[] = [];
  const answers = [
    'nowhere',
    URI, // the first is asked for again
    'main', // namespace
    'sepolia',
    'x',
    '16015286601757825753',
    '',
    'https://node.acme.io https://other.acme.io',
    ADDRESS,
    '',
    '-1',
    '5',
    '', // no more chains
    'aggregator.acme.io:443',
    '',
    '',
    'committee',
    'two words',
    'https://verifier.acme.io',
    `${ADDRESS} 0x1`,
    ADDRESS,
    '',
    '/var/lib/ccv-indexer',
  ];
  output.on('data', (chunk: Buffer) => {
    const text = chunk.toString();
    if (!text.endsWith(': ')) return;
    asked.push(text);
    input.write(`${answers.shift() ?? ''}\n`);
  });
  const draft = await askForDraft(questions, {});
  questions.close();
  expect(answers).toEqual([]);
  expect(draft).toEqual({
    namespace: 'main',
    database: URI,
    chains: [
      {
        ...{ name: 'sepolia', selector: '16015286601757825753', onRamp: ADDRESS, offRamp: undefined, startBlock: 5 },
        rpcUrls: ['https://node.acme.io', 'https://other.acme.io'],
      },
    ],
    aggregators: [{ name: 'aggregator.acme.io:443', address: 'aggregator.acme.io:443' }],
    verifiers: [{ name: 'committee', url: 'https://verifier.acme.io', issuers: [ADDRESS] }],
    cold: { directory: '/var/lib/ccv-indexer' },
  });
  expect(draftFiles({ ...draft, adminToken: 'x'.repeat(16) }).config).toContain('Directory = "/var/lib/ccv-indexer"');
});
