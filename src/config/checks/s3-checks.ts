import type { ConfigProblem } from '../problems.js';
import type { S3Section } from '../schema/s3-schema.js';

/** Keys that say something about a bucket, and nothing about a directory. */
const OF_A_BUCKET = ['Region', 'Endpoint', 'Prefix', 'AccessKeyID', 'SecretAccessKey', 'SessionToken'] as const;

/** Faults of an `S3` table as a whole. `longestStatementMs`: of a query elsewhere in the process. */
export function s3Checks(section: S3Section | undefined, longestStatementMs: number, path: string): ConfigProblem[] {
  const at = (key: string, message: string): ConfigProblem => ({ path: key ? `${path}.${key}` : path, message });
  if (!section)
    return [at('', 'write Directory = "…" for a local directory, or Bucket = "…" and Region = "…" for a bucket')];
  return [
    ...place(section, at),
    ...endpoint(section, at),
    ...credentials(section, at),
    ...upkeep(section, longestStatementMs, at),
  ];
}

type At = (key: string, message: string) => ConfigProblem;

function place(section: S3Section, at: At): ConfigProblem[] {
  const { Directory, Bucket, Region } = section;
  if (Directory === undefined && Bucket === undefined)
    return [at('', 'write Directory = "…" for a local directory, or Bucket = "…" and Region = "…" for a bucket')];
  if (Directory !== undefined && Bucket !== undefined)
    return [at('Directory', 'there is a Bucket as well: write one of the two')];
  if (Directory !== undefined)
    return OF_A_BUCKET.filter((key) => section[key]).map((key) => at(key, 'has no meaning for a Directory'));
  if (Region !== undefined) return [];
  return [at('Region', 'write the region of the bucket; "us-east-1" for servers that know none')];
}

/** The client puts the bucket's name there by itself. */
function endpoint({ Endpoint, Bucket }: S3Section, at: At): ConfigProblem[] {
  if (Endpoint === undefined || Bucket === undefined) return [];
  const { hostname, pathname, search } = new URL(Endpoint);
  if (search !== '')
    return [at('Endpoint', 'has a query: write the server alone, for example "https://minio.example.org:9000"')];
  if (pathname.split('/').includes(Bucket))
    return [at('Endpoint', 'has the bucket in its path: write the server alone, and ForcePathStyle = true')];
  if (hostname.startsWith(`${Bucket}.`) && hostname !== Bucket)
    return [
      at('Endpoint', "has the bucket in its host: write the server alone; the bucket's name is put in front of it"),
    ];
  return [];
}

function credentials({ AccessKeyID, SecretAccessKey, SessionToken }: S3Section, at: At): ConfigProblem[] {
  if (AccessKeyID !== undefined && SecretAccessKey === undefined)
    return [
      at('SecretAccessKey', 'an AccessKeyID needs its secret; leave both out for the usual AWS credential chain'),
    ];
  if (AccessKeyID === undefined && (SecretAccessKey !== undefined || SessionToken !== undefined))
    return [at('AccessKeyID', 'a secret or token needs the id of its key; leave all out for the usual AWS chain')];
  return [];
}

function upkeep(section: S3Section, longestStatementMs: number, at: At): ConfigProblem[] {
  const problems: ConfigProblem[] = [];
  if (section.CompactBytes < section.FlushBytes)
    problems.push(
      at('CompactBytes', `must be at least FlushBytes (${section.FlushBytes}): smaller files are never merged`),
    );
  const leastMs = leastGraceMs(section, longestStatementMs);
  if (section.Grace < leastMs)
    problems.push(
      at(
        'Grace',
        `must be at least ${leastMs / 1_000} s: so long a reader, or a flush under way, may need a file that is no ` +
          'longer named (RefreshInterval + MaxAttempts × RequestTimeout, TakeoverDelay, StatementTimeout)',
      ),
    );
  return problems;
}

/** The shortest time after which no process needs a file that the tables no longer name. */
export function leastGraceMs(
  { RefreshInterval, MaxAttempts, RequestTimeout, TakeoverDelay }: S3Section,
  longestStatementMs: number,
): number {
  return Math.max(RefreshInterval + MaxAttempts * RequestTimeout, TakeoverDelay, longestStatementMs);
}
