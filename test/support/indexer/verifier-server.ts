import Fastify, { type FastifyReply } from 'fastify';
import { bytesToHex, type Hex } from '../../../src/core/hex.js';
import { messageJson } from '../../../src/protocol/message-json.js';
import type { VerifierResult } from '../../../src/protocol/records.js';

/** A real HTTP server that speaks the REST verifier API (`src/protocol/README.md`) and misbehaves on demand. */
export interface VerifierServer {
  readonly baseUrl: string;
  /** The ids of every request so far, in order. */
  readonly requests: readonly (readonly Hex[])[];
  /** Request targets as they came. */
  readonly targets: readonly string[];
  /** The header `traceparent` of each request, in order. */
  readonly traceparents: readonly unknown[];
  /** What it knows: the text of each result. */
  readonly known: Map<Hex, string>;
  add(...results: VerifierResult[]): void;
  /** Answers all requests instead of the usual behaviour; null: as usual again. */
  misbehave(answer: Answer | null): void;
  close(): Promise<void>;
}

/** Sends the reply itself, or returns the text of the body of a 200. */
export type Answer = (ids: readonly Hex[], reply: FastifyReply) => string | undefined | Promise<string | undefined>;

/** The JSON text of a verifier result as a REST verifier sends it; `fields` replace or add JSON texts. */
export function resultJson(result: VerifierResult, fields: Readonly<Record<string, string>> = {}): string {
  const usual: Record<string, string> = {
    message: messageJson(result.encodedMessage),
    message_ccv_addresses: JSON.stringify(result.messageCCVAddresses),
    message_executor_address: JSON.stringify(result.messageExecutorAddress),
    ccv_data: JSON.stringify(bytesToHex(result.ccvData)),
    metadata: JSON.stringify({
      timestamp: result.attestationMs,
      verifier_source_address: result.verifierSourceAddress,
      verifier_dest_address: result.verifierDestAddress,
    }),
  };
  return `{${Object.entries({ ...usual, ...fields })
    .map(([name, text]) => `"${name}":${text}`)
    .join(',')}}`;
}

/** The text of an answer with these results. */
export function answerJson(results: readonly string[], errors: readonly string[] = []): string {
  return `{"results":[${results.join(',')}],"errors":${JSON.stringify(errors)}}`;
}

/** Starts a server on a free port of 127.0.0.1. */
export async function startVerifierServer(path = ''): Promise<VerifierServer> {
  const requests: Hex[][] = [];
  const targets: string[] = [];
  const traceparents: unknown[] = [];
  const known = new Map<Hex, string>();
  let misbehaviour: Answer | null = null;
  const app = Fastify({ forceCloseConnections: true });

  app.get(`${path}/verifications`, async (request, reply) => {
    const ids = new URL(request.url, 'http://localhost').searchParams.getAll('messageID') as Hex[];
    requests.push(ids);
    targets.push(request.url);
    traceparents.push(request.headers['traceparent']);
    if (misbehaviour) {
      const body = await misbehaviour(ids, reply);
      if (body === undefined) return reply;
      return reply.type('application/json').send(body);
    }
    if (!ids.some((id) => known.has(id))) return reply.code(404).send({ error: 'not found' });
    return reply.type('application/json').send(answerJson(ids.map((id) => known.get(id) ?? 'null')));
  });
  await app.listen({ host: '127.0.0.1', port: 0 });
  const address = app.server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');

  return {
    baseUrl: `http://127.0.0.1:${address.port}${path}`,
    requests,
    targets,
    traceparents,
    known,
    add(...results) {
      for (const result of results) known.set(result.messageId, resultJson(result));
    },
    misbehave(answer) {
      misbehaviour = answer;
    },
    close: () => app.close(),
  };
}
