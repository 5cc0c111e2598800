import type { Common } from '../core/common.js';
import type { DiscoveryClient } from './discovery-client.js';
import { type EntryContext, messageIdOf } from './read-entries.js';

/** The client of an aggregator, and the means to read its entries. */
interface TracedClientOptions {
  readonly name: string;
  readonly client: DiscoveryClient;
  readonly entries: Pick<EntryContext, 'readClaim'>;
  readonly common: Pick<Common, 'tracing'>;
}

/** The client with answers that begin the traces of the messages in them; as it is where nothing is traced. */
export function tracedClient({ client, name, entries, common: { tracing } }: TracedClientOptions): DiscoveryClient {
  if (!tracing) return client;
  return {
    async messagesSince(sequence, signal) {
      const told = tracing.find('aggregator.read', { 'ccip.aggregator': name, 'ccip.from_sequence': String(sequence) });
      const answer = await client.messagesSince(sequence, signal);
      const messageIds = answer.map((entry) => messageIdOf(entry, entries.readClaim));
      told(messageIds.filter((messageId) => messageId !== null));
      return answer;
    },
    close: () => client.close(),
  };
}
