import {
  createAggregatorClient,
  type SequencedResult,
} from '../../../src/verifiers/aggregator/client/aggregator-client.js';
import { common } from './fixture.js';

/** Place and credentials of an aggregator of the devnet. */
export interface AggregatorAccess {
  readonly address: string;
  readonly apiKey: string;
  readonly secret: string;
}

/** All entries of an aggregator, in order. */
export async function entriesOf(access: AggregatorAccess): Promise<readonly SequencedResult[]> {
  const limits = { timeoutMs: 60_000, maxResponseBytes: 16 * 1024 * 1024 };
  const client = createAggregatorClient({ ...access, ...limits, name: 'committee', insecure: true, common });
  try {
    const entries: SequencedResult[] = [];
    for (;;) {
      const page = await client.messagesSince((entries.at(-1)?.sequence ?? 0n) + 1n);
      if (page.length === 0) return entries;
      entries.push(...page);
    }
  } finally {
    client.close();
  }
}
