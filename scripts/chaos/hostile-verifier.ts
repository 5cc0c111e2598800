import { setTimeout as delay } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';
import type { Hex } from '../../src/core/hex.js';
import { answerJson, startVerifierServer, type VerifierServer } from '../../test/support/indexer/verifier-server.js';

const ZEROS = `[${'0,'.repeat(30 * 1024 * 1024)}0]`;
const DEEP = `{"results":${'['.repeat(1_000_000)}`;
const LONG_NUMBER = `{"results":[{"message":{"amount":${'9'.repeat(3_000_000)}}}]}`;
const LARGE_DATA = `0x${'ab'.repeat(1_900_000)}`;

/** A verifier that answers as it should, or with one of `hostilities`; `calm` ends that. */
export interface HostileVerifier extends VerifierServer {
  readonly hostilities: ReadonlyMap<string, number>;
  calm(): void;
}

/** Starts a verifier of which every other answer is hostile. */
export async function startHostileVerifier(random: () => number): Promise<HostileVerifier> {
  const server = await startVerifierServer();
  const hostilities = new Map<string, number>();
  const usual = (ids: readonly Hex[]) => answerJson(ids.map((id) => server.known.get(id) ?? 'null'));
  const large = (ids: readonly Hex[]) =>
    answerJson(
      ids.map((id) => server.known.get(id)?.replace(/"ccv_data":"[^"]*"/, `"ccv_data":"${LARGE_DATA}"`) ?? 'null'),
    );
  const kinds: readonly (readonly [
    string,
    (ids: readonly Hex[], reply: FastifyReply) => Promise<string | undefined>,
  ])[] = [
    ['60 MiB of zeros', async () => ZEROS],
    ['a million brackets', async () => DEEP],
    ['a number of three million digits', async () => LONG_NUMBER],
    ['1.9 MB of ccv_data each', async (ids) => large(ids.slice(0, 20))],
    [
      'HTTP 401 that repeats the request',
      async (_, reply) => {
        await reply.code(401).send(`unauthorized: ${JSON.stringify(reply.request.headers)}`);
        return undefined;
      },
    ],
    [
      'a byte a second',
      async (_, reply) => {
        reply.hijack();
        reply.raw.writeHead(200, { 'content-type': 'application/json' });
        for (let second = 0; second < 30 && !reply.raw.destroyed; second += 1) {
          reply.raw.write(' ');
          await delay(1_000);
        }
        reply.raw.destroy();
        return undefined;
      },
    ],
  ];
  server.misbehave(async (ids, reply) => {
    if (random() < 0.5) return usual(ids);
    const [kind, answer] = kinds[Math.floor(random() * kinds.length)] as (typeof kinds)[number];
    hostilities.set(kind, (hostilities.get(kind) ?? 0) + 1);
    return await answer(ids, reply);
  });
  return { ...server, hostilities, calm: () => server.misbehave(null) };
}
