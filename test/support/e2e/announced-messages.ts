import type { TomlTable } from 'smol-toml';
import { startAggregatorServer } from '../../../scripts/devnet/aggregator/aggregator-server.js';
import { decodeIds } from '../../../scripts/devnet/aggregator/wire.js';
import { bytesToHex, type Hex } from '../../../src/core/hex.js';
import { CCV } from '../chain/log-emitter.js';
import { ANNOUNCEMENT } from '../discovery/discovery.js';
import { createRecordMaker } from '../records.js';
import { API_KEY, SECRET } from '../verifiers/aggregator.js';

/** An aggregator that announces messages of `CCV`, and another that has their verifications. */
export interface AnnouncedMessages {
  /** In the order of their sequences. */
  readonly messageIds: readonly Hex[];
  /** Publishes as many. */
  block(messages: number): Promise<void>;
  /** As a configuration names them. */
  discoverySection(settings?: TomlTable): TomlTable;
  verifierSection(): TomlTable;
  /** The ids that the second one was asked for, in order, as often as it was. */
  asked(): readonly Hex[];
  close(): Promise<void>;
}

/** Starts both without messages; the same seed makes the same messages. */
export async function startAnnouncedMessages(seed: number): Promise<AnnouncedMessages> {
  const make = createRecordMaker(seed);
  const options = { clients: new Map([[API_KEY, SECRET]]), nowMs: () => Date.now() };
  const [announcing, verifying] = [await startAggregatorServer(options), await startAggregatorServer(options)];
  const messageIds: Hex[] = [];
  const access = { InsecureConnection: true, APIKey: API_KEY, Secret: SECRET };
  return {
    messageIds,
    async block(messages) {
      for (let index = 0; index < messages; index += 1) {
        const message = make.message({ ccvs: [CCV] });
        verifying.publish(make.result(message, 0));
        announcing.publish(make.result(message, 0, ANNOUNCEMENT));
        messageIds.push(message.messageId);
      }
    },
    discoverySection: (settings = {}) => ({
      ...{ Name: 'announcing', Address: announcing.address, Timeout: 60_000, ...access },
      ...settings,
    }),
    verifierSection: () => ({
      ...{ Type: 'aggregator', Name: 'verifying', Address: verifying.address, ...access },
      ...{ IssuerAddresses: [CCV], MaxBatchWaitTime: 20 },
    }),
    asked: () => verifying.requests.flatMap(({ bytes }) => decodeIds(bytes).map((id) => bytesToHex(id))),
    async close() {
      await announcing.close();
      await verifying.close();
    },
  };
}
