import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { status } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCommon } from '../../../src/core/common.js';
import { InvalidArgumentError } from '../../../src/core/errors.js';
import { createLogger } from '../../../src/core/logger.js';
import { API_KEY, failureOf, openClient, SECRET } from '../../support/verifiers/aggregator.js';

describe('credentials of an aggregator', () => {
  it('are in no error and no log line, not even in part, when the server repeats them', async () => {
    const lines: string[] = [];
    const common = createCommon({
      log: createLogger({
        level: 'trace',
        format: 'json',
        destination: {
          write: (line: string) => {
            lines.push(line);
          },
        },
      }),
    });
    const { aggregator, client } = await openClient({ common });
    const signature = () =>
      String(aggregator.requests.at(-1)?.metadata.get('x-authorization-signature-sha256')[0] ?? '');
    const repeats = [
      () => `no such key ${API_KEY}`,
      () => `no such key ${API_KEY.slice(0, 8)}…`,
      () => `secret ${SECRET.slice(20, 34).toUpperCase()} is weak`,
      () => `signature ${signature().slice(-10)} differs`,
    ];
    for (const repeat of repeats)
      for (const code of [status.UNAUTHENTICATED, status.INTERNAL, status.RESOURCE_EXHAUSTED]) {
        aggregator.answer(() => ({ code, details: repeat() }));
        const failure = await failureOf(client.messagesSince(0n));
        common.log.error({ error: failure }, 'failed');
        const shown = `${failure.stack} ${JSON.stringify(failure.details)} ${String(failure.cause)} ${lines.join('')}`;
        expect(shown).toContain('(its words repeat a part of a credential)');
        for (const value of [API_KEY, SECRET, signature()])
          for (let at = 0; at + 6 <= value.length; at += 1)
            expect(shown.toLowerCase()).not.toContain(value.slice(at, at + 6));
      }
    expect(lines).toHaveLength(12);
  });
});

describe('TLS to an aggregator', () => {
  const directory = mkdtempSync(join(tmpdir(), 'aggregator-tls-'));
  afterAll(() => rmSync(directory, { recursive: true }));
  const [keyFile, certFile] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '2'];
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile];
  beforeAll(() => promisify(execFile)('openssl', ['req', '-x509', ...ec, '-out', certFile, ...subject]));
  const tls = () => ({ key: readFileSync(keyFile, 'utf8'), certificate: readFileSync(certFile, 'utf8') });

  it('trusts the authorities of its CA file, and no stranger', async () => {
    const { client } = await openClient({ insecure: false, caFile: certFile }, { tls: tls() });
    expect(await client.messagesSince(0n)).toEqual([]);
    const { client: strict } = await openClient({ insecure: false }, { tls: tls() });
    expect(await failureOf(strict.messagesSince(0n))).toMatchObject({ kind: 'network', grpcCode: 'Unavailable' });
    const { client: plain } = await openClient({}, { tls: tls() });
    expect((await failureOf(plain.messagesSince(0n))).kind).toBe('network');
  });

  it('with a CA file that is not there is refused at the start', async () => {
    await expect(openClient({ insecure: false, caFile: '/nowhere/ca.pem' })).rejects.toThrow(InvalidArgumentError);
  });
});
