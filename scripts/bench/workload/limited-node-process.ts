import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Pool } from 'undici';
import { systemClock } from '../../../src/core/clock.js';
import type { NodeLimits } from './limited-node.js';

/** The JSON-RPC code by which providers refuse an answer with too many logs. */
const TOO_MANY = -32_005;

process.once('message', ({ url, latencyMs, requestsPerSecond, mostLogs }: NodeLimits) => {
  const pool = new Pool(url, { connections: 32 });
  let tokens = requestsPerSecond;
  let filledMs = performance.now();

  function isLetThrough(): boolean {
    const nowMs = performance.now();
    tokens = Math.min(requestsPerSecond, tokens + ((nowMs - filledMs) * requestsPerSecond) / 1_000);
    filledMs = nowMs;
    if (tokens < 1) return false;
    tokens -= 1;
    return true;
  }

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    if (!isLetThrough()) {
      response.writeHead(429).end();
      return;
    }
    await systemClock.sleep(latencyMs);
    const headers = { 'content-type': 'application/json' };
    const { body } = await pool.request({ path: '/', method: 'POST', headers, body: Buffer.concat(parts) });
    const text = await body.text();
    response.writeHead(200, headers).end(logsIn(text) > mostLogs ? refusal : text);
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((thrown: unknown) => response.destroy(thrown as Error));
  });
  server.listen(0, '127.0.0.1', () => process.send?.(`http://127.0.0.1:${(server.address() as AddressInfo).port}`));
});
process.once('disconnect', () => process.exit());

const refusal = JSON.stringify({ jsonrpc: '2.0', id: null, error: { code: TOO_MANY, message: 'too many logs' } });

function logsIn(text: string): number {
  let logs = 0;
  for (let at = text.indexOf('"logIndex"'); at !== -1; at = text.indexOf('"logIndex"', at + 1)) logs += 1;
  return logs;
}
