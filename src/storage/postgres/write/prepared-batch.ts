import { createHash } from 'node:crypto';
import type { Hex } from '../../../core/hex.js';
import type { WriteBatch } from '../../../model/batch.js';
import { checkBatch } from '../../../model/check-batch.js';
import { type GivenBatch, takeBatch } from '../../../model/commit/given-batch.js';
import { bodySizeBytes, hashBody } from '../rows/message-body.js';

/** A checked batch with everything done that needs neither the database nor the caller's buffers. */
export interface PreparedBatch extends GivenBatch {
  /** Everything in it. */
  readonly records: number;
  /** Of payloads. */
  readonly sizeBytes: number;
}

/**
 * Takes over a batch.
 * @throws InvalidArgumentError
 */
export function prepareBatch(batch: WriteBatch): PreparedBatch {
  checkBatch(batch);
  const given = takeBatch(batch, hashBody);
  let records = 0;
  for (const part of Object.values(batch)) records += part.length;
  let sizeBytes = 0;
  for (const message of given.messages ?? []) sizeBytes += bodySizeBytes(message);
  for (const result of given.verifierResults ?? []) sizeBytes += bodySizeBytes(result) + result.ccvData.length;
  for (const { raw } of given.quarantine ?? []) sizeBytes += raw.length;
  return { ...given, records, sizeBytes };
}

/** An identity as rows have it: sha256 of its text. */
export function hashIdentity(identity: string): Hex {
  return `0x${createHash('sha256').update(identity).digest('hex')}`;
}
