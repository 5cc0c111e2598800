import type { Clock } from '../core/clock.js';
import { counter, gauge, histogram, type Registry } from '../core/metrics.js';
import type { WriteBatch, WriteOutcome } from '../model/batch.js';
import { createSourceMetrics } from '../model/source-metrics.js';

/** Metrics of chain watchers. `chain` is the configured name. */
export function createChainMetrics(registry: Registry) {
  const labelNames = ['chain'] as const;
  return {
    ...createSourceMetrics(registry),
    headBlock: gauge(registry, {
      name: 'indexer_source_head_block',
      help: 'The latest block of a chain.',
      labelNames,
    }),
    processedBlock: gauge(registry, {
      name: 'indexer_source_processed_block',
      help: 'The last block of a chain whose messages are stored, final or not.',
      labelNames,
    }),
    finalizedBlock: gauge(registry, {
      name: 'indexer_source_finalized_block',
      help: 'The last finalized block of a chain whose messages are stored.',
      labelNames,
    }),
    lagBlocks: gauge(registry, {
      name: 'indexer_source_lag_blocks',
      help: 'Blocks between the latest of a chain and the last one whose messages are stored.',
      labelNames,
    }),
    lagSeconds: gauge(registry, {
      name: 'indexer_source_lag_seconds',
      help: 'Age of the last block whose messages are stored.',
      labelNames,
    }),
    halted: gauge(registry, {
      name: 'indexer_source_halted_bool',
      help: '1 when a chain was stopped because a finalized block changed.',
      labelNames,
    }),
    disputed: gauge(registry, {
      name: 'indexer_source_finalized_disputed_bool',
      help: '1 while one node alone says that a finalized block changed, and nothing is read.',
      labelNames,
    }),
    finalityUnknown: gauge(registry, {
      name: 'indexer_source_finality_unknown_bool',
      help: '1 while no node tells what is final and no depth is configured.',
      labelNames,
    }),
    reorgs: counter(registry, {
      name: 'indexer_source_reorgs_total',
      help: 'Reorgs seen, whether or not they took messages with them.',
      labelNames,
    }),
    orphaned: counter(registry, {
      name: 'indexer_source_orphaned_total',
      help: 'Messages and executions that a reorg removed.',
      labelNames,
    }),
    quarantined: counter(registry, {
      name: 'indexer_source_quarantined_total',
      help: 'Logs that failed a check, by the first that did.',
      labelNames: ['chain', 'reason'],
    }),
    messages: counter(registry, {
      name: 'indexer_source_messages_total',
      help: 'Messages found, those that came back after a reorg or moved to another block counted again.',
      labelNames,
    }),
    executions: counter(registry, {
      name: 'indexer_source_executions_total',
      help: 'Executions stored, by the state that they tell; those that came back after a reorg counted again.',
      labelNames: ['chain', 'state'],
    }),
    missingLogs: counter(registry, {
      name: 'indexer_source_missing_logs_total',
      help: 'Logs that a node left out of its answer and that were found by asking again.',
      labelNames: ['chain', 'url'],
    }),
    bloomsProve: gauge(registry, {
      name: 'indexer_source_blooms_prove_bool',
      help: '0 once a message was found in a block whose bloom denies it: the blooms of that chain are not relied on.',
      labelNames,
    }),
    believedSilences: counter(registry, {
      name: 'indexer_source_believed_silences_total',
      help:
        'Blocks whose bloom could contain a message that no node returned, ' +
        'though every node that could be reached was asked.',
      labelNames,
    }),
    unconfirmedSilences: counter(registry, {
      name: 'indexer_source_unconfirmed_silences_total',
      help: 'Blocks whose bloom could contain a message that no node returned, with no second node to ask.',
      labelNames,
    }),
    crossChecked: gauge(registry, {
      name: 'indexer_source_cross_checked_bool',
      help: '1 when a second URL confirms finalized blocks, 0 when one URL alone is believed.',
      labelNames,
    }),
    confirmedBlock: gauge(registry, {
      name: 'indexer_source_confirmed_block',
      help: 'Two URLs have answered for this block and all below it.',
      labelNames,
    }),
    unconfirmedBlocks: gauge(registry, {
      name: 'indexer_source_unconfirmed_blocks',
      help: 'Finalized blocks that only one URL has answered for.',
      labelNames,
    }),
    crossCheckRequests: counter(registry, {
      name: 'indexer_source_cross_check_requests_total',
      help: 'Requests sent to confirm finalized blocks.',
      labelNames,
    }),
    rangeBlocks: gauge(registry, {
      name: 'indexer_source_range_blocks',
      help: 'Blocks asked for in one request for logs.',
      labelNames,
    }),
    timeToIndex: histogram(registry, {
      name: 'indexer_time_to_index_seconds',
      help: 'Time from the timestamp of a message’s block, or of its first attestation, to the message being stored',
      labelNames: ['query'],
      buckets: [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 900, 1_800, 3_600],
    }),
  };
}

/** See `createChainMetrics`. */
export type ChainMetrics = ReturnType<typeof createChainMetrics>;

/** Counts the executions that a commit stored, and observes how long its new messages took from their blocks. */
export function observeCommit(
  { timeToIndex, executions: stored }: ChainMetrics,
  { chain, clock }: { readonly chain: string; readonly clock: Clock },
  { messages = [], executions = [] }: WriteBatch,
  outcome: WriteOutcome,
): void {
  for (const [index, { state }] of executions.entries()) {
    const became = outcome.executions[index];
    if (became === 'inserted' || became === 'returned') stored.inc({ chain, state });
  }
  const nowMs = clock.nowMs();
  for (const [index, { origin }] of messages.entries())
    if (origin !== null && outcome.messages[index] === 'inserted')
      timeToIndex.observe({ query: 'chain' }, Math.max(0, nowMs - origin.blockTimestampMs) / 1_000);
}
