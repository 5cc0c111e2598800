import { connect as connectPlain, isIP, type Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from 'node:tls';
import { AbortedError, IndexerError } from '../errors.js';

/** A server that is reached over TLS. */
export interface TlsPeer {
  readonly host: string;
  readonly port: number;
  /** Authorities and the like; whatever they say, the certificate is read. */
  readonly tls?: ConnectionOptions;
  /** Sent before TLS, and answered by one byte `S`: how Postgres is asked for it. */
  readonly preamble?: Uint8Array;
}

/** The certificate that a peer shows. */
export interface PeerCertificate {
  /** Unix ms. */
  readonly validFromMs: number;
  readonly validToMs: number;
  /** The code of the reason for which a client that checks would refuse it; null: it would not. */
  readonly refusal: string | null;
}

/** Connects, reads the certificate, and closes. @throws AbortedError, IndexerError PEER_UNREACHABLE */
export async function readPeerCertificate(peer: TlsPeer, signal: AbortSignal): Promise<PeerCertificate> {
  if (signal.aborted) throw new AbortedError('reading a certificate');
  const plain = connectPlain({ host: peer.host, port: peer.port });
  const abort = () => plain.destroy(new AbortedError('reading a certificate'));
  signal.addEventListener('abort', abort, { once: true });
  try {
    await event(plain, 'connect');
    if (peer.preamble) await askForTls(plain, peer.preamble);
    const named = isIP(peer.host) === 0 ? { servername: peer.host } : {};
    const secure = connectTls({ ...peer.tls, ...named, host: peer.host, socket: plain, rejectUnauthorized: false });
    await event(secure, 'secureConnect');
    return certificateOf(secure);
  } catch (cause) {
    if (signal.aborted) throw new AbortedError('reading a certificate', { cause });
    throw new IndexerError('PEER_UNREACHABLE', 'the certificate cannot be read', true, { cause });
  } finally {
    signal.removeEventListener('abort', abort);
    plain.destroy();
  }
}

function certificateOf(socket: TLSSocket): PeerCertificate {
  const { valid_from: from, valid_to: to } = socket.getPeerCertificate();
  const { authorized } = socket;
  // typed as an Error, and a code
  const refusal = socket.authorizationError as unknown as { readonly code?: string } | string | null;
  return {
    validFromMs: Date.parse(from),
    validToMs: Date.parse(to),
    refusal: authorized ? null : String(typeof refusal === 'string' ? refusal : (refusal?.code ?? refusal)),
  };
}

async function askForTls(socket: Socket, preamble: Uint8Array): Promise<void> {
  socket.write(preamble);
  const [answer] = (await event(socket, 'data')) as [Buffer];
  if (answer.toString('latin1') !== 'S') throw new Error('the server does not speak TLS');
}

/** The first event of that name; rejects when the connection fails or ends before. */
function event(socket: Socket, name: string): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const done = (...values: unknown[]) => {
      socket.off('error', failed).off('close', closed);
      // an error without a listener would end the process
      socket.on('error', () => undefined);
      resolve(values);
    };
    const failed = (error: Error) => reject(error);
    const closed = () => reject(new Error('the connection was closed'));
    socket.once(name, done).once('error', failed).once('close', closed);
  });
}
