import type { VerifierResult } from '../model/records.js';
import { ConflictingCCVDataError, DuplicateCCVDataError } from '../model/storage-errors.js';
import type { Storage } from './storage.js';

/**
 * Stores one verifier result.
 * @throws DuplicateCCVDataError when it is stored already.
 * @throws ConflictingCCVDataError when another one is stored under the same identity.
 */
export async function insertCCVData(storage: Pick<Storage, 'insertBatch'>, result: VerifierResult): Promise<void> {
  const { verifierResults } = await storage.insertBatch({ verifierResults: [result] });
  const { messageId, verifierSourceAddress, verifierDestAddress } = result;
  if (verifierResults[0] === 'duplicate')
    throw new DuplicateCCVDataError(messageId, verifierSourceAddress, verifierDestAddress);
  if (verifierResults[0] === 'conflict')
    throw new ConflictingCCVDataError(messageId, verifierSourceAddress, verifierDestAddress);
}
