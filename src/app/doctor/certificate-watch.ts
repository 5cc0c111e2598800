import type { Config } from '../../config/schema/schema.js';
import type { Common } from '../../core/common.js';
import { IndexerError } from '../../core/errors.js';
import { gauge } from '../../core/metrics.js';
import { readPeerCertificate } from '../../core/network/peer-certificate.js';
import type { Shutdown } from '../../core/shutdown.js';
import { tlsPeers } from './tls-peers.js';

const LOOK_EVERY_MS = 3_600_000;
/** A peer that takes longer is looked at again the next time. */
const ANSWER_WITHIN_MS = 30_000;

/** Looks at the certificates of all peers, and shows until when they are valid. */
export interface CertificateWatch {
  /** Looks at the peers of this configuration from now on, first at once. */
  use(config: Config): void;
}

/**
 * Reads the certificate of each peer that is reached over TLS once an hour, by a connection of its own. A peer that
 * does not answer keeps its last figure. Those behind a proxy of the environment are left out. Works until shutdown.
 */
export function watchCertificates({ clock, log, metrics }: Common, shutdown: Shutdown): CertificateWatch {
  const expiry = gauge(metrics, {
    name: 'indexer_peer_certificate_expiry_timestamp_seconds',
    help: 'Unix time at which the certificate of a peer expires, as it was when the peer last answered.',
    labelNames: ['peer'],
  });
  let known = new Map<string, number>();
  let stop = new AbortController();
  let running: Promise<void> = Promise.resolve();
  shutdown.add('certificates', async () => {
    stop.abort();
    await running;
  });

  async function look(config: Config, signal: AbortSignal): Promise<void> {
    const found = await Promise.all(
      tlsPeers(config)
        .filter(({ isProxied }) => !isProxied)
        .map(async (peer) => {
          try {
            const limit = AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]);
            return [peer.name, (await readPeerCertificate(peer, limit)).validToMs] as const;
          } catch (thrown) {
            if (!(thrown instanceof IndexerError)) throw thrown;
            log.debug({ peer: peer.name, err: thrown }, 'certificate of a peer cannot be read');
            return [peer.name, known.get(peer.name) ?? null] as const;
          }
        }),
    );
    if (signal.aborted) return;
    known = new Map();
    // a name may stand for several peers: the first to expire counts
    for (const [name, validToMs] of found)
      if (validToMs !== null) known.set(name, Math.min(known.get(name) ?? validToMs, validToMs));
    expiry.reset();
    for (const [peer, validToMs] of known) expiry.set({ peer }, validToMs / 1_000);
  }

  async function run(config: Config, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await look(config, signal);
      await clock.sleep(LOOK_EVERY_MS, signal).catch(() => 'the loop ends');
    }
  }

  return {
    use(config) {
      stop.abort();
      stop = new AbortController();
      const { signal } = stop;
      running = running
        .then(() => run(config, signal))
        .catch((thrown: unknown) => log.error({ err: thrown }, 'certificates of peers are not looked at any more'));
    },
  };
}
