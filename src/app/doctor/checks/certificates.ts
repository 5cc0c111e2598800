import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { IndexerError, toError } from '../../../core/errors.js';
import { type PeerCertificate, readPeerCertificate } from '../../../core/network/peer-certificate.js';
import { defineCheck, type Look } from '../check.js';
import { authorityFiles, type ConfiguredPeer, tlsPeers } from '../tls-peers.js';

/** Time to renew a certificate in peace. */
const SOON_MS = 14 * 24 * 3_600_000;
const PEM = /-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g;

type Id =
  | 'certificate-expired'
  | 'certificate-expires'
  | 'certificate-refused'
  | 'authority-file'
  | 'authority-expired';

/** The certificates of every peer that is reached over TLS, and the files of authorities. */
export const certificateCheck = defineCheck<Id>({
  name: 'certificates',
  about: 'the certificates of every peer that is reached over TLS, and the files of authorities',
  kinds: {
    'certificate-expired': {
      severity: 'error',
      meaning: 'The certificate of the peer has expired, or is not valid yet.',
      next: "renew it at the peer; if it is not valid yet, see this machine's clock",
    },
    'certificate-expires': {
      severity: 'warning',
      meaning: 'The certificate of the peer expires within two weeks.',
      next: 'renew it at the peer',
    },
    'certificate-refused': {
      severity: 'error',
      meaning: 'The certificate of the peer is not of a trusted authority, or of another name.',
      next: 'name its authority (CACertFile, sslrootcert, NODE_EXTRA_CA_CERTS), or correct the host name',
    },
    'authority-file': {
      severity: 'error',
      meaning: 'A file of authorities that the configuration names cannot be read, or holds no certificate.',
      next: 'correct the path, or let this account read {file}',
    },
    'authority-expired': {
      severity: 'warning',
      meaning: 'An authority in a file that the configuration names has expired or does within two weeks.',
      next: 'put the new certificate of the authority into {file}',
    },
  },
  async run(look) {
    await Promise.all([
      look.each(
        authorityFiles(look.config),
        ({ name }) => name,
        async ({ name, file }) => {
          await lookAtFile(name, file, look);
        },
      ),
      look.each(
        tlsPeers(look.config),
        ({ name }) => name,
        async (peer) => {
          if (peer.isProxied)
            throw new IndexerError(
              'PROXIED',
              'it is reached through a proxy, which stands before its certificate',
              false,
            );
          judge(peer, await readPeerCertificate(peer, look.signal), look);
        },
      ),
    ]);
  },
});

function judge(
  { name, isChecked }: ConfiguredPeer,
  { validFromMs, validToMs, refusal }: PeerCertificate,
  { common, found }: Look<Id>,
): void {
  const nowMs = common.clock.nowMs();
  // a client that checks nothing goes on all the same
  const changes = isChecked ? {} : { severity: 'warning' as const };
  const isValid = nowMs >= validFromMs && nowMs < validToMs;
  if (!isValid) found('certificate-expired', name, { validFromMs, validToMs }, changes);
  else if (refusal !== null && isChecked) found('certificate-refused', name, { refusal });
  else if (validToMs - nowMs < SOON_MS) found('certificate-expires', name, { validToMs });
}

async function lookAtFile(name: string, file: string, { common, found }: Look<Id>): Promise<void> {
  const text = await readFile(file, 'utf8').catch((thrown: unknown) => toError(thrown));
  const blocks = typeof text === 'string' ? (text.match(PEM) ?? []) : [];
  if (blocks.length === 0) {
    const reason = typeof text === 'string' ? 'it holds no certificate' : text.message;
    return found('authority-file', name, { file, reason });
  }
  for (const block of blocks) {
    const { subject, validTo } = new X509Certificate(block);
    const validToMs = Date.parse(validTo);
    if (validToMs - common.clock.nowMs() < SOON_MS) found('authority-expired', name, { file, subject, validToMs });
  }
}
