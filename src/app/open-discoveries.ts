import { onRampsOf } from '../config/checks/chain-identity.js';
import type { Config, DiscoverySection } from '../config/schema/schema.js';
import type { Common } from '../core/common.js';
import type { Shutdown } from '../core/shutdown.js';
import { createDiscoveryGroup } from '../discovery/discovery-group.js';
import { DiscoverySource, type DiscoverySourceOptions } from '../discovery/discovery-source.js';
import { discoveryGroupId, discoverySourceId } from '../discovery/source-ids.js';
import { createAggregatorGapAsker } from '../indexer/gaps/aggregator-gap-asker.js';
import type { DiscoveryRunner } from '../indexer/indexer.js';
import type { Membership } from '../indexer/workers/membership.js';
import type { Lanes } from '../lanes/lanes.js';
import type { LaneRecords } from '../storage/lane-records.js';
import type { Storage } from '../storage/storage.js';
import { type AggregatorClient, createAggregatorClient } from '../verifiers/aggregator/client/aggregator-client.js';
import { readProtobufClaim } from '../verifiers/aggregator/client/protobuf-claim.js';
import type { VerifierRegistry } from '../verifiers/registry.js';
import type { Signatures } from './open-signatures.js';
import { runBeside } from './run-beside.js';

/** Dependencies of the discovery of a process. */
export interface OpenDiscoveriesOptions {
  readonly config: Config;
  readonly common: Common;
  readonly storage: Storage;
  readonly registry: VerifierRegistry;
  readonly signatures: Signatures;
  readonly membership: Membership;
  /** The lanes of the storage, and where the gaps that were asked for are noted; null: gaps are not asked for. */
  readonly gaps: { readonly lanes: Lanes; readonly records: LaneRecords } | null;
  readonly shutdown: Shutdown;
}

/** The aggregators of a configuration that messages are found at, by group; nothing runs yet. */
export function openDiscoveries(options: OpenDiscoveriesOptions): readonly DiscoveryRunner[] {
  const groups = new Map<string, { readonly name: string; readonly sections: DiscoverySection[] }>();
  for (const section of options.config.Discoveries) {
    const source = section.Group === undefined ? discoverySourceId(section.Name) : discoveryGroupId(section.Group);
    const group = groups.get(source) ?? { name: section.Group ?? section.Name, sections: [] };
    group.sections.push(section);
    groups.set(source, group);
  }
  const { gaps, config, common } = options;
  const askedChains = new Set(
    config.Chain.filter((chain) => onRampsOf(chain).length > 0).map(({ Selector }) => Selector),
  );
  const askAgainAfterMs = config.Lanes.AskAgainAfter;
  const chainNameOf = (selector: bigint) =>
    config.Chain.find(({ Selector }) => Selector === selector)?.Name ?? String(selector);
  return [...groups].map(([source, { name, sections }]) => {
    const group = createDiscoveryGroup(sections.map((section) => openSource(section, source, options)));
    const asker =
      gaps === null || askAgainAfterMs === 0
        ? null
        : createAggregatorGapAsker({ name, group, ...gaps, askedChains, chainNameOf, askAgainAfterMs, common });
    return { name, source, run: (signal) => runBeside(group, [asker], signal), status: () => group.status() };
  });
}

function openSource(section: DiscoverySection, shared: string, options: OpenDiscoveriesOptions): DiscoverySource {
  const { common, storage, registry, signatures, membership, shutdown } = options;
  const { Name: name } = section;
  const client = openAggregator(section, common);
  shutdown.add(`aggregator ${name}`, async () => client.close());
  const writer = membership.fence(shared, storage);
  return new DiscoverySource({
    name,
    since: section.Since,
    pollIntervalMs: section.PollInterval,
    overlap: section.Overlap,
    overlapMs: section.OverlapTime,
    client,
    entries: { ...entryReading(registry), ...signatures.judge(section) },
    store: {
      getCursor: (sourceId) => storage.getCursor(sourceId),
      insertBatch: (batch) => writer.insertBatch(batch),
    },
    common,
  });
}

/** The client of an aggregator as configured. */
export function openAggregator(section: DiscoverySection, common: Common): AggregatorClient {
  return createAggregatorClient({
    name: section.Name,
    address: section.Address,
    insecure: section.InsecureConnection,
    caFile: section.CACertFile,
    timeoutMs: section.Timeout,
    maxResponseBytes: section.MaxResponseBytes,
    apiKey: section.APIKey,
    secret: section.Secret,
    common,
  });
}

/** How the entries of every aggregator are read; their signatures are the business of `Signatures`. */
export function entryReading(registry: VerifierRegistry): DiscoverySourceOptions['entries'] {
  return {
    readClaim: readProtobufClaim,
    verifierNameOf: (ccvAddress) => registry.readersFor(ccvAddress)[0]?.name ?? null,
  };
}
