import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';

/** A key and a certificate for `localhost` that is valid for two days, its own authority. */
export async function shortIdentityIn(directory: string) {
  const [keyFile, certFile] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile];
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost', '-days', '2'];
  await promisify(execFile)('openssl', ['req', '-x509', ...key, '-out', certFile, ...subject]);
  return { key: readFileSync(keyFile, 'utf8'), certificate: readFileSync(certFile, 'utf8'), certFile };
}
