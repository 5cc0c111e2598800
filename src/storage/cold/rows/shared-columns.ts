import { column } from '../parquet/columns.js';

/** Columns that tables of records have in common, in the groups in which their rows have them. */
export const SHARED_COLUMNS = {
  time: [
    column('ingestion_ms', 'int64', { statistics: true, deltas: true, comment: 'ingestion_time in unix ms.' }),
    column('message_id', 'string', {
      statistics: true,
      bloomFilter: true,
      distinct: true,
      comment: 'keccak-256 of the canonical bytes.',
    }),
  ],
  lane: [
    column('source_chain_selector', 'string', { statistics: true, comment: 'CCIP chain selector, in decimal digits.' }),
    column('dest_chain_selector', 'string', { statistics: true, comment: 'CCIP chain selector, in decimal digits.' }),
  ],
  position: [
    column('position', 'int64', {
      ...{ statistics: true, deltas: true },
      comment: 'Place of its last change in the order of all changes, without gaps.',
    }),
  ],
  first: [
    column('first_ms', 'int64', {
      ...{ statistics: true, deltas: true },
      comment: 'Ingestion of the first record of this message_id, unix ms.',
    }),
  ],
  receipts: [
    column('message_executor_address', 'string', { comment: 'Executor that the sender chose.' }),
    column('message_ccv_addresses', 'strings', { comment: 'CCVs that the sender asked for.' }),
  ],
  ingestionTime: [
    column('ingestion_time', 'timestamp', {
      statistics: true,
      deltas: true,
      comment: 'When it was stored: lists go by it.',
    }),
  ],
  laneName: [
    column('lane', 'string', {
      ...{ statistics: true, bloomFilter: true },
      comment: '<source chain selector>-<destination chain selector>',
    }),
  ],
} as const;
