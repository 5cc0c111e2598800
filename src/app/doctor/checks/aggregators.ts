import type { Config, DiscoverySection } from '../../../config/schema/schema.js';
import { discoverySourceId } from '../../../discovery/source-ids.js';
import type { AggregatorClient } from '../../../verifiers/aggregator/client/aggregator-client.js';
import { AggregatorCallError } from '../../../verifiers/aggregator/client/call-error.js';
import { openAggregator } from '../../open-discoveries.js';
import { defineCheck, type Look } from '../check.js';
import { recordSection, withBackend } from '../record.js';

/** No entry has it: the answer of an aggregator that works is an empty page. */
const LAST_SEQUENCE = 2n ** 63n - 1n;
/** Polls after which a worker has read an entry, and the time to store it. */
const POLLS = 3;
const STORE_MS = 2_000;

type Id = 'aggregator-unreachable' | 'aggregator-refused' | 'aggregator-behind';

/** Whether every aggregator answers, and its entries are read. */
export const aggregatorCheck = defineCheck<Id>({
  name: 'aggregators',
  about: 'whether every aggregator that messages are found at answers, and its entries are read',
  kinds: {
    'aggregator-unreachable': {
      severity: 'error',
      meaning: 'The aggregator gives no usable answer, so messages that only it shows are not found.',
      next: 'see its Address and the service; the workers ask again by themselves',
    },
    'aggregator-refused': {
      severity: 'error',
      meaning: 'The aggregator refuses our requests, and will as long as nothing is changed.',
      next: 'correct Address, APIKey or Secret of the [[Discoveries]], or the clock of this machine',
    },
    'aggregator-behind': {
      severity: 'warning',
      meaning: 'The aggregator has entries that no worker has read, although there was time to.',
      next: 'start a worker if none runs; else lastError of the source on the /status page of its owner',
    },
  },
  async run(look) {
    const readFirst = alwaysRead(look.config);
    await look.each(
      look.config.Discoveries,
      ({ Name }) => Name,
      async (section) => {
        const client = openAggregator(section, look.common);
        try {
          await client.messagesSince(LAST_SEQUENCE, look.signal);
          if (readFirst.has(section)) await lookForUnread(section, client, look);
        } catch (thrown) {
          if (!(thrown instanceof AggregatorCallError)) throw thrown;
          const { kind, reason, behindMs } = thrown;
          const id = kind === 'unauthenticated' || kind === 'refused' ? 'aggregator-refused' : 'aggregator-unreachable';
          look.found(id, section.Name, behindMs === null ? { reason } : { reason, behindMs });
        } finally {
          client.close();
        }
      },
    );
  },
});

/** The first of each group: the others are read while those before them fail. */
function alwaysRead({ Discoveries }: Config): ReadonlySet<DiscoverySection> {
  return new Set(
    Discoveries.filter(({ Group }, at) => {
      return Group === undefined || Discoveries.findIndex((each) => each.Group === Group) === at;
    }),
  );
}

/** Entries that are there now must have been read a few polls later. */
async function lookForUnread(section: DiscoverySection, client: AggregatorClient, look: Look<Id>): Promise<void> {
  const { config, common, signal, found } = look;
  const record = recordSection(config);
  if (!record) return;
  const source = discoverySourceId(section.Name);
  await withBackend(record, look, async (backend) => {
    const readTo = async () => (await backend.getCursor(source))?.height ?? null;
    const before = await readTo();
    const waiting = await client.messagesSince(before === null ? section.Since : before + 1n, signal);
    const first = waiting.find(({ sequence }) => sequence !== null)?.sequence;
    if (first === null || first === undefined) return;
    await common.clock.sleep(POLLS * section.PollInterval + STORE_MS, signal);
    const sequence = await readTo();
    if (sequence === null || sequence < first)
      found('aggregator-behind', section.Name, { source, sequence, first, waiting: waiting.length });
  });
}
