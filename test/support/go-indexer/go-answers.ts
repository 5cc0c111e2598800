import type pg from 'pg';
import { parseExactJson, stringifyExactJson } from '../../../src/protocol/exact-json.js';
import type { Answer } from '../api/api.js';

type Kind = 'messages' | 'verifierResults';

/** An entry of a list of `/v1`: what clients read of it, as text, with times in unix ms. */
interface Entry {
  readonly atMs: number;
  readonly messageId: string;
  readonly text: string;
}

/** The entries that a Go indexer and this program list otherwise, or only one of them. */
export interface Differences {
  readonly compared: number;
  readonly differing: readonly { readonly theirs: string | null; readonly ours: string | null }[];
}

const PAGE = 900;

/**
 * Asks this program's `/v1` for every part of its lists, and compares it with the Go indexer's list of the same time,
 * read from its tables as it reads them (chainlink-ccv, `indexer/pkg/storage/postgres.go`). Rows of one millisecond are
 * in no order there; the microseconds that it tells, this program does not have.
 */
export async function compareLists(
  client: pg.ClientBase,
  zone: string,
  get: (path: string) => Promise<Answer>,
  kind: Kind,
): Promise<Differences> {
  const differing: { theirs: string | null; ours: string | null }[] = [];
  let compared = 0;
  for await (const theirs of theirParts(client, zone, kind)) {
    const [first, last] = [theirs.at(0), theirs.at(-1)];
    if (!first || !last) continue;
    const ours: Entry[] = [];
    for (let offset = 0; ; offset += 1_000) {
      const path = kind === 'messages' ? 'messages' : 'verifierresults';
      const answer = await get(`/v1/${path}?start=${first.atMs}&end=${last.atMs}&limit=1000&offset=${offset}`);
      if (answer.status !== 200) throw new Error(`${answer.status}: ${answer.text.slice(0, 500)}`);
      const page = kind === 'messages' ? ourMessages(answer.json()) : ourResults(answer.json());
      ours.push(...page);
      if (page.length < 1_000) break;
    }
    compared += theirs.length;
    const [left, right] = [theirs.map(({ text }) => text), inOrder(ours).map(({ text }) => text)];
    const [inTheirs, inOurs] = [new Set(left), new Set(right)];
    for (const text of left) if (!inOurs.has(text)) differing.push({ theirs: text, ours: null });
    for (const text of right) if (!inTheirs.has(text)) differing.push({ theirs: null, ours: text });
    const both = right.filter((text) => inTheirs.has(text));
    left
      .filter((text) => inOurs.has(text))
      .forEach((text, at) => {
        if (both[at] !== text) differing.push({ theirs: text, ours: both[at] ?? null });
      });
  }
  return { compared, differing };
}

/** Its list in order, in parts that end with a millisecond. */
async function* theirParts(client: pg.ClientBase, zone: string, kind: Kind): AsyncGenerator<readonly Entry[]> {
  const ms = (column: string) => `floor(extract(epoch FROM ${column}) * 1000)::bigint`;
  const instant = `m.ingestion_timestamp AT TIME ZONE '${zone}'`;
  // an hour that the clock read twice: the first one, if a result was there before the second
  const isFirst = `((${instant} - interval '1 hour') AT TIME ZONE '${zone}') = m.ingestion_timestamp AND EXISTS (
    SELECT FROM indexer.verifier_results r WHERE r.message_id = m.message_id AND r.ingestion_timestamp < ${instant})`;
  const columns =
    kind === 'messages'
      ? `message_id, status, message_ccv_addresses AS ccvs, message::text AS message,
         ${ms(`CASE WHEN ${isFirst} THEN ${instant} - interval '1 hour' ELSE ${instant} END`)} AS at
         FROM indexer.messages m`
      : `message_id, ${ms('ingestion_timestamp')} AS at, ${ms('attestation_timestamp')} AS attested, ccv_data,
         verifier_source_address AS source, verifier_dest_address AS dest, message_ccv_addresses AS ccvs,
         message_executor_address AS executor, message::text AS message FROM indexer.verifier_results`;
  await client.query('BEGIN');
  await client.query(`DECLARE list NO SCROLL CURSOR FOR SELECT ${columns} ORDER BY at ASC`);
  let part: Entry[] = [];
  for (;;) {
    const { rows } = await client.query<Row>(`FETCH ${PAGE} FROM list`);
    part.push(...rows.map((row) => (kind === 'messages' ? theirMessage(row) : theirResult(row))));
    const isLast = rows.length < PAGE;
    const lastMs = part.at(-1)?.atMs;
    const whole = isLast ? part : part.filter(({ atMs }) => atMs !== lastMs);
    part = isLast ? [] : part.filter(({ atMs }) => atMs === lastMs);
    yield inOrder(whole);
    if (isLast) break;
  }
  await client.query('COMMIT');
}

interface Row {
  readonly [column: string]: unknown;
  readonly message_id: string;
  readonly at: string;
  readonly message: string;
  readonly ccvs: readonly string[];
}

const STATUS: Readonly<Record<string, number>> = { PROCESSING: 0, SUCCESS: 1, TIMEOUT: 2 };

function theirMessage({ message_id, at, message, ccvs, status }: Row): Entry {
  return entry(Number(at), message_id, {
    message: parseExactJson(message),
    status: STATUS[String(status)],
    ...(ccvs.length > 0 && { messageCCVAddresses: ccvs }),
  });
}

function theirResult({ message_id, at, message, ccvs, attested, ccv_data, source, dest, executor }: Row): Entry {
  const data = Buffer.isBuffer(ccv_data) && ccv_data.length > 0 ? `0x${ccv_data.toString('hex')}` : null;
  return entry(Number(at), message_id, {
    ...{ message_id, message: parseExactJson(message), message_ccv_addresses: ccvs, ccv_data: data },
    ...{ message_executor_address: executor, timestamp: Number(attested), attested: Number(attested) },
    ...{ verifier_source_address: source, verifier_dest_address: dest },
  });
}

interface OurMessage {
  readonly message: unknown;
  readonly metadata: { readonly status: number; readonly ingestionTimestamp: string };
  readonly messageCCVAddresses?: unknown;
}

function ourMessages(answer: unknown): Entry[] {
  const { messages } = answer as { messages: Record<string, OurMessage> };
  return Object.entries(messages).map(([id, { metadata, ...rest }]) =>
    entry(Date.parse(metadata.ingestionTimestamp), id, { ...rest, status: metadata.status }),
  );
}

interface OurResult {
  readonly verifierResult: { readonly timestamp: string };
  readonly metadata: { readonly attestationTimestamp: string; readonly ingestionTimestamp: string };
}

function ourResults(answer: unknown): Entry[] {
  const { verifierResults } = answer as { verifierResults: Record<string, OurResult[]> };
  return Object.entries(verifierResults).flatMap(([id, results]) =>
    results.map(({ verifierResult, metadata }) =>
      entry(Date.parse(metadata.ingestionTimestamp), id, {
        ...verifierResult,
        timestamp: Date.parse(verifierResult.timestamp),
        attested: Date.parse(metadata.attestationTimestamp),
      }),
    ),
  );
}

/** An entry of `/v1` as text: times in unix ms, without the name that the Go indexer's tables lack. */
export function answerText(entryOfList: unknown): string {
  const isTime = /^[0-9]{4}-[0-9]{2}-[0-9]{2}T.*Z$/;
  const plainOf = (value: unknown): unknown => {
    if (typeof value === 'string') return isTime.test(value) ? Date.parse(value) : value;
    if (Array.isArray(value)) return value.map(plainOf);
    if (typeof value !== 'object' || value === null) return value;
    const facts = Object.entries(value).filter(([key]) => key !== 'verifierName');
    return Object.fromEntries(facts.map(([key, each]) => [key, plainOf(each)]));
  };
  return stringifyExactJson(sorted(plainOf(entryOfList)));
}

function entry(atMs: number, messageId: string, facts: object): Entry {
  return { atMs, messageId, text: stringifyExactJson(sorted({ messageId, atMs, ...facts })) };
}

function inOrder(entries: readonly Entry[]): Entry[] {
  return [...entries].sort((a, b) => a.atMs - b.atMs || (a.text < b.text ? -1 : 1));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, each]) => [key, sorted(each)]),
  );
}
