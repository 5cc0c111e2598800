import { parse, stringify, type TomlTable } from 'smol-toml';
import { describe, expect, test } from 'vitest';
import { parseConfig } from '../../../src/config/load.js';
import { ConfigError } from '../../../src/config/problems.js';

const HOT: TomlTable = { Name: 'hot', Type: 'memory', Memory: { TTL: 3_600 } };
const WARM: TomlTable = { Name: 'warm', Type: 'postgres', Postgres: { URI: 'postgresql://localhost/warm' } };
const COLD: TomlTable = { Name: 'cold', Type: 's3', S3: { Directory: '/srv/cold' } };

const postgres = (more: TomlTable): TomlTable => ({
  ...WARM,
  Postgres: { URI: 'postgresql://localhost/warm', ...more },
});
const s3 = (table: TomlTable): TomlTable => ({ ...COLD, S3: table });
const bucket = (more: TomlTable): TomlTable => s3({ Bucket: 'b', Region: 'eu-central-1', ...more });
const directory = (more: TomlTable): TomlTable => s3({ Directory: '/srv/cold', ...more });

/** The problems of a Sink of these backends, each as `path: message` below its list. */
function problemsOf(backends: readonly TomlTable[], more: TomlTable = {}): string[] {
  const table = { Storage: { Sink: { Storages: [...backends] } }, ...more };
  return problemsIn(table).map((line) => line.replaceAll('Storage.Sink.Storages', ''));
}

function problemsIn(table: TomlTable): string[] {
  try {
    parseConfig(parse(stringify(table)), 'test.toml');
    return [];
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) throw thrown;
    return thrown.problems.map(({ path, message }) => `${path}: ${message}`);
  }
}

describe('where a cold backend lies', () => {
  test.each([
    ['a directory', [HOT, WARM, COLD]],
    ['a bucket on AWS', [WARM, bucket({})]],
    ['a bucket elsewhere', [WARM, bucket({ Endpoint: 'http://localhost:9000', ForcePathStyle: true, Prefix: 'a/b' })]],
    ['keys of its own', [WARM, bucket({ AccessKeyID: 'a', SecretAccessKey: 'b', SessionToken: 'c' })]],
    ['nothing else that lasts', [HOT, COLD]],
  ])('%s is accepted', (_name, backends) => {
    expect(problemsOf(backends)).toEqual([]);
  });

  test('one backend alone may be a cold one', () => {
    const single = { Type: 's3', S3: { Directory: '/srv/cold' } };
    expect(problemsIn({ Storage: { Strategy: 'single', Single: single } })).toEqual([]);
    expect(problemsIn({ Storage: { Strategy: 'single', Single: { Type: 's3' } } })).toEqual([
      expect.stringContaining('Storage.Single.S3: write Directory = "…" for a local directory, or Bucket'),
    ]);
  });

  test.each<[string, TomlTable, string]>([
    ['no table', { Name: 'cold', Type: 's3' }, '[1].S3: write Directory = "…" for a local directory, or Bucket = "…"'],
    ['neither', s3({}), '[1].S3: write Directory = "…" for a local directory, or Bucket = "…" and Region = "…"'],
    ['both', bucket({ Directory: '/srv' }), '[1].S3.Directory: there is a Bucket as well: write one of the two'],
    ['no region', s3({ Bucket: 'b' }), '[1].S3.Region: write the region of the bucket; "us-east-1" for servers'],
    ['a region of a directory', directory({ Region: 'x' }), '[1].S3.Region: has no meaning for a Directory'],
    ['an endpoint of a directory', directory({ Endpoint: 'http://x' }), '[1].S3.Endpoint: has no meaning for a'],
    ['a prefix of a directory', directory({ Prefix: 'x' }), '[1].S3.Prefix: has no meaning for a Directory'],
    ['an id without secret', bucket({ AccessKeyID: 'a' }), '[1].S3.SecretAccessKey: an AccessKeyID needs its secret'],
    ['a secret without id', bucket({ SecretAccessKey: 'a' }), '[1].S3.AccessKeyID: a secret or token needs the id'],
    ['a token without id', bucket({ SessionToken: 'a' }), '[1].S3.AccessKeyID: a secret or token needs the id'],
    ['a prefix with a slash too many', bucket({ Prefix: 'a/' }), '[1].S3.Prefix: write names joined by single slashes'],
    ['a prefix that climbs', bucket({ Prefix: '../a' }), '[1].S3.Prefix: write names joined by single slashes'],
    ['an endpoint without scheme', bucket({ Endpoint: 'minio:9000' }), '[1].S3.Endpoint: write a URL that starts with'],
    [
      'an unknown checksum mode',
      bucket({ ChecksumMode: 'never' }),
      '[1].S3.ChecksumMode: write one of "when_supported"',
    ],
    ['a misspelt key', bucket({ FlushInterva: 3 }), '[1].S3.FlushInterva: unknown key; did you mean FlushInterval?'],
    ['tables of other types', { ...COLD, Memory: {} }, '[1].Memory: has no meaning for Type = "s3"'],
    [
      'that writes wait for it',
      { ...COLD, Required: true },
      '[1].Required: a cold backend beside Postgres takes records',
    ],
  ])('%s is refused', (_name, cold, problem) => {
    expect(problemsOf([WARM, cold])).toEqual([expect.stringContaining(problem)]);
  });

  test('an S3 table is refused where it has no meaning', () => {
    expect(problemsOf([{ ...WARM, S3: { Directory: '/srv' } }])).toEqual([
      '[0].S3: has no meaning for Type = "postgres"',
    ]);
  });

  test.each([
    ['database', [WARM, { ...WARM, Name: 'again', Required: false }], '[1].Postgres.URI: is the same place as [0]'],
    ['directory', [WARM, COLD, { ...COLD, Name: 'again' }], '[2].S3.Directory: is the same place as [1]'],
    ['bucket', [WARM, bucket({}), { ...bucket({}), Name: 'again' }], '[2].S3.Bucket: is the same place as [1]'],
    [
      'prefix',
      [WARM, bucket({ Prefix: 'p' }), { ...bucket({ Prefix: 'p' }), Name: 'x' }],
      '[2].S3.Prefix: is the same',
    ],
  ])('two backends in one %s are refused', (_name, backends, problem) => {
    expect(problemsOf(backends)).toEqual([expect.stringContaining(problem)]);
  });

  test('two prefixes of one bucket are two places', () => {
    expect(problemsOf([WARM, bucket({ Prefix: 'a' }), { ...bucket({ Prefix: 'b' }), Name: 'x' }])).toEqual([]);
  });
});

describe('how a cold backend works', () => {
  test('files that a flush may make must be smaller than those that a compaction makes', () => {
    expect(problemsOf([WARM, directory({ FlushBytes: 33_554_432, CompactBytes: 16_777_216 })])).toEqual([
      '[1].S3.CompactBytes: must be at least FlushBytes (33554432): smaller files are never merged',
    ]);
  });

  test.each([
    ['a request with all its attempts', [WARM, directory({ Grace: 40, MaxAttempts: 7 })], 71],
    ['a query of the database', [postgres({ StatementTimeout: 90 }), directory({ Grace: 80 })], 90],
    ['a flush that is waited for', [WARM, directory({ Grace: 99, TakeoverDelay: 100 })], 100],
  ])('what is replaced stays for at least as long as %s', (_name, backends, seconds) => {
    expect(problemsOf(backends)).toEqual([
      expect.stringContaining(`[1].S3.Grace: must be at least ${seconds} s: so long a reader`),
    ]);
  });
});

describe('how long Postgres keeps records', () => {
  const HOUR = { Scheduler: { VerificationVisibilityWindow: 3_600 } };

  test('a retention of a month before a cold tier is accepted', () => {
    expect(problemsOf([postgres({ Retention: 2_592_000 }), COLD], HOUR)).toEqual([]);
  });

  test('nothing may be removed where nothing colder has it', () => {
    expect(problemsOf([postgres({ Retention: 7_200 })], HOUR)).toEqual(
      expect.arrayContaining([
        expect.stringContaining('[0].Postgres.Retention: no cold backend holds what this would remove: add one'),
      ]),
    );
    const single = { Type: 'postgres', Postgres: { URI: 'postgresql://localhost/a', Retention: 5 } };
    expect(problemsIn({ Storage: { Strategy: 'single', Single: single } })).toEqual([
      'Storage.Single.Postgres.Retention: nothing else holds what this would remove: write 0',
    ]);
  });

  test('a message that is still waited for is not removed', () => {
    expect(problemsOf([postgres({ Retention: 3_599 }), COLD], HOUR)).toEqual([
      '[0].Postgres.Retention: must be at least Scheduler.VerificationVisibilityWindow (3600 s)',
    ]);
  });

  test('nothing is removed before the cold tier can have it, which leaves a gap as well', () => {
    const window = { Scheduler: { MaxDelay: 1_500, VerificationVisibilityWindow: 2 } };
    expect(problemsOf([postgres({ Retention: 400 }), COLD], window)).toEqual([
      '[0].Postgres.Retention: must be at least 405 s: the cold backend has a record only so long after its ingestion (FlushInterval is 300 s)',
      ': no backend is read for records between 400.001 s and 404.999 s old: widen a ReadCondition or keep longer',
    ]);
    expect(problemsOf([postgres({ Retention: 405 }), COLD], window)).toEqual([]);
  });
});

describe('conditions together', () => {
  const when = (backend: TomlTable, condition: TomlTable): TomlTable => ({ ...backend, ReadCondition: condition });
  const recent = (seconds: number) => ({ Type: 'recent', LookbackWindowSeconds: seconds });
  const older = (seconds: number) => ({ Type: 'older', LookbackWindowSeconds: seconds });
  const other = { Name: 'other', Type: 'postgres', Required: false, Postgres: { URI: 'postgresql://localhost/other' } };

  test.each([
    ['a cache before everything', [when(HOT, recent(60)), WARM, COLD]],
    ['a cold tier that reaches into the hot one', [when(HOT, recent(3_600)), WARM, when(COLD, older(600))]],
    ['a stand-in', [when(WARM, recent(60)), other, COLD]],
    [
      'ranges that share their bound',
      [
        when(WARM, { Type: 'time_range', EndUnix: 1_700_000_000 }),
        when(other, { Type: 'time_range', StartUnix: 1_700_000_000 }),
      ],
    ],
  ])('%s is accepted', (_name, backends) => {
    expect(problemsOf(backends)).toEqual([]);
  });

  test('a hot window that ends before the cold tier begins is a gap, when nothing else covers the time between', () => {
    const never = when(WARM, { Type: 'never' });
    expect(problemsOf([when(HOT, recent(300)), never, COLD])).toEqual([
      ': no backend is read for records between 300.001 s and 404.999 s old: widen a ReadCondition or keep longer',
    ]);
    const forgets = { ...HOT, Memory: { TTL: 120 } };
    expect(problemsOf([forgets, never, COLD])).toEqual([
      ': no backend is read for records between 120.001 s and 404.999 s old: widen a ReadCondition or keep longer',
    ]);
    expect(problemsOf([when(HOT, recent(405)), never, COLD])).toEqual([]);
  });

  test('a cold tier that begins later than the warm one ends is a gap', () => {
    expect(problemsOf([postgres({ Retention: 7_200 }), when(COLD, older(9_000))])).toEqual([
      ': no backend is read for records between 7200.001 s and 8999.999 s old: widen a ReadCondition or keep longer',
    ]);
  });

  test('fixed ranges that overlap are refused with what they share', () => {
    const ranges = [
      when(WARM, { Type: 'time_range', EndUnix: 1_700_000_060 }),
      when(other, { Type: 'time_range', StartUnix: 1_700_000_000 }),
    ];
    expect(problemsOf(ranges)).toEqual([
      expect.stringMatching(
        /^\[1\]\.ReadCondition: ingestion times from 2023-11-14T22:13:20.000Z to 2023-11-14T22:14:20.000Z are read from \[0\] already: change one/,
      ),
    ]);
  });

  test('the same window given to two backends of a type is refused', () => {
    expect(problemsOf([when(WARM, recent(60)), when(other, recent(60)), COLD])).toContainEqual(
      expect.stringContaining('[1].ReadCondition: the same window (60 s) is read from [0] already'),
    );
  });

  test('everything is told at once', () => {
    const problems = problemsOf([
      when(postgres({ Retention: 30 }), recent(60)),
      { ...when(other, recent(60)), Name: 'warm' },
      bucket({ AccessKeyID: 'a', Grace: 1 }),
    ]);
    const paths = problems.map((line) => line.slice(0, line.indexOf(':')));
    expect(new Set(paths)).toEqual(
      new Set([
        '[1].Name',
        '[2].S3.SecretAccessKey',
        '[2].S3.Grace',
        '[0].Postgres.Retention',
        '',
        '[1].ReadCondition',
      ]),
    );
  });
});
