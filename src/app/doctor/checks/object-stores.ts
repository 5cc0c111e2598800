import { codeOf, IndexerError, messagesOf, toError } from '../../../core/errors.js';
import { allColdSections } from '../../cold-backends.js';
import { openObjectStore } from '../../open-object-store.js';
import { defineCheck } from '../check.js';

/** Whether every bucket and directory is there and can be read. */
export const objectStoreCheck = defineCheck({
  name: 'object-stores',
  about: 'whether every bucket and directory of the cold tier is there and can be read',
  kinds: {
    'object-store-unreachable': {
      severity: 'error',
      meaning: 'The object store gives no answer: old records cannot be read, and nothing is flushed to it.',
      next: 'see Endpoint, network and server; the workers catch up by themselves once it answers',
    },
    'object-store-refused': {
      severity: 'error',
      meaning: 'The object store refuses what is asked of it, and will as long as nothing is changed.',
      next: 'do what the reason says',
    },
  },
  async run({ config, common, each, found }) {
    await each(
      allColdSections(config),
      ({ Name }) => Name,
      async ({ Name, S3 }) => {
        const { store, place, look } = openObjectStore(Name, S3, common);
        try {
          await look();
        } catch (thrown) {
          const evidence = { place, reason: messagesOf(toError(thrown)).join(': '), code: codeOf(thrown) };
          const isPassing = thrown instanceof IndexerError && thrown.retryable;
          found(isPassing ? 'object-store-unreachable' : 'object-store-refused', Name, evidence);
        } finally {
          await store.close();
        }
      },
    );
  },
});
