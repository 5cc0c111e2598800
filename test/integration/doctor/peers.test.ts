import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TomlTable } from 'smol-toml';
import { expect, it } from 'vitest';
import { doctor } from '../../support/doctor/system.js';
import { e2eDirectory, writeConfig } from '../../support/e2e/service.js';
import { shortIdentityIn } from '../../support/short-identity.js';
import { startTraceReceiver } from '../../support/tracing/trace-receiver.js';
import { openAggregator } from '../../support/verifiers/aggregator.js';

const HOUR_MS = 3_600_000;

async function portOf(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, resolve));
  return (server.address() as AddressInfo).port;
}

it('reads the certificates of verifiers, nodes and aggregators, and the clock of an object store', async () => {
  const directory = e2eDirectory();
  const { key, certificate, certFile } = await shortIdentityIn(directory.path);
  const secure = createSecureServer({ key, cert: certificate }, (_, response) => response.end());
  const store = createServer((_, response) => {
    response
      .setHeader('date', new Date(Date.now() - HOUR_MS).toUTCString())
      .writeHead(403)
      .end();
  });
  const aggregator = await openAggregator({ tls: { key, certificate } });
  const securePort = await portOf(secure);
  const Address = aggregator.address.replace('127.0.0.1', 'localhost');
  const S3 = { Endpoint: `http://127.0.0.1:${await portOf(store)}`, Bucket: 'cold', Region: 'eu-central-1' };
  const config: TomlTable = {
    Chain: [
      {
        Name: 'a',
        Selector: '4242',
        ChainID: 1,
        RpcUrls: [`https://localhost:${securePort}/key`],
        OnRamp: `0x${'a1'.repeat(20)}`,
      },
    ],
    Verifier: [{ Type: 'rest', Name: 'https', IssuerAddresses: [], BaseURL: `https://localhost:${securePort}` }],
    Discoveries: [
      { Name: 'named', Address, CACertFile: certFile },
      { Name: 'unnamed', Address: aggregator.address, CACertFile: '/nowhere/ca.pem' },
    ],
    Storage: { Strategy: 'single', Single: { Type: 's3', S3 } },
  };
  const file = writeConfig(directory.path, 'peers.toml', config);
  const { json, ids } = await doctor(file, '--only', 'certificates,clocks');
  expect(ids).toEqual([
    'authority-expired named',
    'authority-file unnamed',
    'certificate-expires named',
    'certificate-refused a RpcUrls[0]',
    'certificate-refused https',
    'certificate-refused unnamed',
    'clock-skew s3',
  ]);
  const skew = json.findings.find(({ id }) => id === 'clock-skew');
  expect(Math.abs(Number(skew?.evidence['skewMs']) + HOUR_MS)).toBeLessThanOrEqual(
    Number(skew?.evidence['marginMs']) + 1_000,
  );
  expect(JSON.stringify(json)).not.toContain('/key');
  for (const server of [secure, store]) server.close();
  directory.remove();
});

it('sends nothing to the receiver of traces, and says whether it would take spans', async () => {
  const directory = e2eDirectory();
  const receiver = await startTraceReceiver();
  const look = async (Endpoint: string) => {
    const Storage = { Strategy: 'single', Single: { Type: 'memory' } };
    const { ids } = await doctor(
      writeConfig(directory.path, 'traced.toml', { Storage, Tracing: { Endpoint } }),
      '--only',
      'traces',
    );
    return ids;
  };
  expect(await look(receiver.url)).toEqual([]);
  expect(receiver).toMatchObject({ spans: [], headers: [{ 'content-type': 'application/json' }] });
  expect(await look(`${receiver.url}/elsewhere`)).toEqual(['trace-receiver-refused Tracing']);
  await receiver.close();
  expect(await look(receiver.url)).toEqual(['trace-receiver-unreachable Tracing']);
  directory.remove();
});
