import { discoverySourceId } from '../../../discovery/source-ids.js';
import { AggregatorCallError } from '../../../verifiers/aggregator/client/call-error.js';
import { openAggregator } from '../../open-discoveries.js';
import { defineCheck } from '../check.js';

/** No entry has it: the answer of an aggregator that works is an empty page. */
const LAST_SEQUENCE = 2n ** 63n - 1n;

/** Whether every aggregator answers. */
export const aggregatorCheck = defineCheck({
  name: 'aggregators',
  about: 'whether every aggregator that messages are found at answers',
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
  },
  async run({ config, common, signal, each, found }) {
    await each(
      config.Discoveries,
      ({ Name }) => Name,
      async (section) => {
        const client = openAggregator(section, common);
        try {
          await client.messagesSince(LAST_SEQUENCE, signal);
        } catch (thrown) {
          if (!(thrown instanceof AggregatorCallError)) throw thrown;
          const { kind, reason, behindMs } = thrown;
          const id = kind === 'unauthenticated' || kind === 'refused' ? 'aggregator-refused' : 'aggregator-unreachable';
          const evidence = { reason, source: discoverySourceId(section.Name) };
          found(id, section.Name, behindMs === null ? evidence : { ...evidence, behindMs });
        } finally {
          client.close();
        }
      },
    );
  },
});
