import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { endAllCli, runCli } from '../support/e2e/cli.js';
import { get } from '../support/e2e/http.js';
import { e2eDirectory, startServiceProcess, writeConfig } from '../support/e2e/service.js';
import { eventually } from '../support/eventually.js';

// a test starts a process or two
const directory = e2eDirectory();
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  await endAllCli();
  for (const close of closing.splice(0)) await close();
});
afterAll(() => directory.remove());

const PASSWORD = 'pa:ss w/rd@1';
const PATH_KEY = 'Ab3dEf6hIj9kLm2n';
const QUERY_KEY = 'query+key/77';
const TOKEN = 'session/token+of=the#test';
const SECRET_KEY = 'wJalrXUtnFEMI/K7MDENG/example';

/** In every form in which a server may send it back. */
function formsOf(secret: string): string[] {
  return [
    secret,
    encodeURIComponent(secret),
    String(new URLSearchParams({ k: secret })).slice(2),
    Buffer.from(secret).toString('base64'),
    Buffer.from(secret).toString('base64url'),
    Buffer.from(`user:${secret}`).toString('base64'),
  ];
}

/** A server that repeats what it was asked, as providers do in their errors. */
async function startRepeating(answer: (said: string, request: IncomingMessage, response: ServerResponse) => void) {
  let requests = 0;
  const server = createServer((request, response) => {
    requests++;
    request.resume();
    answer(`${request.method} ${request.url} ${JSON.stringify(request.headers)}`, request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { port: (server.address() as AddressInfo).port, requests: () => requests };
}

function expectNone(text: string, ...secrets: readonly string[]): void {
  for (const form of secrets.flatMap(formsOf)) expect(text).not.toContain(form);
}

describe('what a server repeats of a request', () => {
  it('is shown without secrets in the log, in status and on its page, cut and on one line', async () => {
    let turn = 0;
    const node = await startRepeating((said, _request, response) => {
      const all = `${said}\r\n\u001b[31m${[PASSWORD, PATH_KEY, QUERY_KEY].flatMap(formsOf).join('\n')}`;
      if (turn++ % 2 === 0) response.writeHead(401).end(`${said} ${'long '.repeat(1_000)}\n${all}`);
      else response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, error: { code: -32_050, message: all } }));
    });
    const login = `user:${encodeURIComponent(PASSWORD)}`;
    const path = `/v2/${PATH_KEY}?apikey=${encodeURIComponent(QUERY_KEY)}`;
    const file = writeConfig(directory.path, 'node.toml', {
      Chain: [
        {
          Name: 'a',
          Selector: '3379446385462418246',
          RpcUrls: [`http://${login}@127.0.0.1:${node.port}${path}`, `http://${login}@127.0.0.1:${node.port}/2${path}`],
          OnRamp: `0x${'1'.repeat(40)}`,
          PollInterval: 10,
        },
      ],
      API: { ListenAddress: '127.0.0.1', ListenPort: 0 },
      Admin: { ListenAddress: '127.0.0.1', ListenPort: 0 },
      Log: { Level: 'trace', Format: 'json' },
      Storage: { Strategy: 'single', Single: { Type: 's3', S3: { Directory: join(directory.path, 'cold') } } },
    });
    const { cli, adminUrl } = await startServiceProcess('start', file);
    let status = '';
    await eventually('both nodes have been heard', async () => {
      status = (await get(`${adminUrl}/status`)).text;
      return /HTTP 401: POST .{20}/.test(status) && /refused with code -32050: POST/.test(status);
    });
    const page = await (await fetch(`${adminUrl}/status`, { headers: { accept: 'text/html' } })).text();
    await cli.stop();
    for (const text of [status, page, cli.stderr()]) expectNone(text, PASSWORD, PATH_KEY, QUERY_KEY);
    expect(cli.stderr()).toContain('/v2/***?apikey=***');
    expect(status).not.toMatch(/\\[rnu]|\p{Cc}/u);
    expect(status).not.toContain('long '.repeat(50));
    const { sources } = JSON.parse(status) as { sources: { watcher: { rpc: { failuresInARow: number }[] } }[] };
    expect(sources[0]?.watcher.rpc[0]?.failuresInARow).toBeGreaterThan(0);
  });

  it('is shown without secrets by commands, and when a start fails', async () => {
    const store = await startRepeating((said, _request, response) => {
      const all = [TOKEN, SECRET_KEY].flatMap(formsOf).join(' ').replaceAll('&', '&amp;');
      const message = `${all} ${said.replace(/[<&]/g, '')}`;
      response.writeHead(403, { 'content-type': 'application/xml' });
      response.end(`<Error><Code>AccessDenied</Code><Message>${message}</Message></Error>`);
    });
    const file = writeConfig(directory.path, 'store.toml', {
      API: { ListenAddress: '127.0.0.1', ListenPort: 0 },
      Admin: { ListenAddress: '127.0.0.1', ListenPort: 0 },
      Log: { Level: 'trace', Format: 'json' },
      Storage: {
        Strategy: 'single',
        Single: {
          Type: 's3',
          S3: {
            Bucket: 'bucket',
            Region: 'us-east-1',
            Endpoint: `http://127.0.0.1:${store.port}`,
            ForcePathStyle: true,
            AccessKeyID: 'AKIAIOSFODNN7EXAMPLE',
          },
        },
      },
    });
    // of the environment as of a file
    const environment = {
      CCV_INDEXER__Storage__Single__S3__SecretAccessKey: SECRET_KEY,
      CCV_INDEXER__Storage__Single__S3__SessionToken: TOKEN,
    };
    const runs = await Promise.all(
      [['start'], ['storage', 'status'], ['storage', 'status', '--json'], ['storage', 'verify']].map((command) =>
        runCli([...command, '-c', file], environment),
      ),
    );
    for (const { code, stdout, stderr } of runs) {
      expect(code).toBe(1);
      expect(`${stdout}${stderr}`).toContain('AccessDenied');
      expectNone(`${stdout}${stderr}`, TOKEN, SECRET_KEY, 'AKIAIOSFODNN7EXAMPLE');
    }
    expect(store.requests()).toBeGreaterThan(3);
  });
});
