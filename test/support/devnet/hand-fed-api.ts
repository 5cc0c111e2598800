import { fastify } from 'fastify';
import { createJsonRpc } from '../../../scripts/devnet/anvil/json-rpc.js';
import { decodeSentLog, MESSAGE_SENT_TOPIC, type SentLog } from '../../../scripts/devnet/lane/events.js';
import type { DevnetChain, LaneDeployment } from '../../../scripts/devnet/lane/lane-deployment.js';
import type { Hex } from '../../../src/core/hex.js';
import { parseExactJson } from '../../../src/protocol/exact-json.js';
import { messageJson } from '../../../src/protocol/message-json.js';
import { formatRfc3339 } from '../../../src/protocol/rfc3339.js';

/** The query API as an executor needs it, fed by hand: no storage, no watcher. */
export interface HandFedApi {
  readonly url: string;
  /** Lists this message from now on. */
  feed(messageId: Hex): Promise<void>;
  /** Answers with this proof instead of the committee's, for one message. Null: the committee's again. */
  forge(messageId: Hex, ccvData: Hex | null): void;
  /** Answers everything with this status. Null: works again. */
  breakWith(status: number | null): void;
  /** Paths that were asked. */
  readonly asked: string[];
  close(): Promise<void>;
}

interface Verification {
  readonly message_ccv_addresses: string[];
  readonly message_executor_address: string;
  readonly ccv_data: string;
  readonly metadata: { timestamp: number; verifier_source_address: string; verifier_dest_address: string };
}

export async function startHandFedApi(
  deployment: LaneDeployment,
  chains: readonly DevnetChain[],
  verifierUrls: readonly string[],
): Promise<HandFedApi> {
  const listed = new Map<Hex, { sent: SentLog; ingestionMs: number }>();
  const forged = new Map<Hex, Hex>();
  const asked: string[] = [];
  let broken: number | null = null;
  const server = fastify({ forceCloseConnections: true });
  server.addHook('onRequest', async (request, reply) => {
    asked.push(request.url);
    if (broken !== null) await reply.code(broken).send({ success: false, status: broken, message: 'broken' });
  });
  server.get('/v1/messages', (request, reply) => {
    const query = request.query as { start: string; limit: string; offset: string };
    const entries = [...listed.values()]
      .filter(({ ingestionMs }) => ingestionMs >= Number(query.start))
      .slice(Number(query.offset), Number(query.offset) + Number(query.limit))
      .map(
        ({ sent, ingestionMs }) =>
          `"${sent.messageId}":{"message":${messageJson(sent.encodedMessage)},"metadata":{"status":0,"ingestionTimestamp":"${formatRfc3339(ingestionMs)}"},"messageCCVAddresses":${JSON.stringify(sent.ccvAddresses)}}`,
      );
    return reply.type('application/json').send(`{"success":true,"messages":{${entries.join(',')}}}`);
  });
  server.get('/v1/verifierresults/:id', async (request, reply) => {
    const { id } = request.params as { id: Hex };
    const sent = listed.get(id)?.sent;
    if (!sent) return reply.code(404).send({ success: false, status: 404, message: 'MessageID not found' });
    const results = await Promise.all(verifierUrls.map((url) => verificationJson(url, sent, forged.get(id))));
    const present = results.filter((result) => result !== null).join(',');
    return reply.type('application/json').send(`{"success":true,"results":[${present}],"messageID":"${id}"}`);
  });
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  return {
    url,
    asked,
    async feed(messageId) {
      for (const sent of await readSentLogs(deployment, chains))
        if (sent.messageId === messageId && !listed.has(messageId))
          listed.set(messageId, { sent, ingestionMs: Date.now() });
    },
    forge(messageId, ccvData) {
      if (ccvData === null) forged.delete(messageId);
      else forged.set(messageId, ccvData);
    },
    breakWith(status) {
      broken = status;
    },
    close: () => server.close(),
  };
}

async function verificationJson(url: string, sent: SentLog, forged: Hex | undefined): Promise<string | null> {
  const response = await fetch(`${url}/verifications?messageID=${sent.messageId}`);
  if (response.status === 404) return null;
  const body = parseExactJson(await response.text()) as { results: (Verification | null)[] };
  const result = body.results[0];
  if (!result) return null;
  const { metadata } = result;
  return (
    `{"verifierResult":{"message_id":"${sent.messageId}","message":${messageJson(sent.encodedMessage)},` +
    `"message_ccv_addresses":${JSON.stringify(result.message_ccv_addresses)},` +
    `"message_executor_address":"${result.message_executor_address}","ccv_data":"${forged ?? result.ccv_data}",` +
    `"timestamp":"${formatRfc3339(metadata.timestamp)}",` +
    `"verifier_source_address":"${metadata.verifier_source_address}",` +
    `"verifier_dest_address":"${metadata.verifier_dest_address}"},"metadata":{}}`
  );
}

async function readSentLogs(deployment: LaneDeployment, chains: readonly DevnetChain[]): Promise<SentLog[]> {
  const perChain = deployment.chains.map(async ({ chainId, addresses }) => {
    const rpc = createJsonRpc(chains.find((chain) => chain.chainId === chainId)!.url);
    const filter = { address: addresses.onRamp, topics: [MESSAGE_SENT_TOPIC], fromBlock: '0x0', toBlock: 'latest' };
    return ((await rpc('eth_getLogs', [filter])) as { topics: Hex[]; data: Hex }[]).map(decodeSentLog);
  });
  return (await Promise.all(perChain)).flat();
}
