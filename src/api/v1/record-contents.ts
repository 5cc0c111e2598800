import type { StoredMessage, StoredVerifierResult } from '../../model/records.js';
import { CCVDataNotFoundError } from '../../model/storage-errors.js';
import type { Storage } from '../../storage/storage.js';

/** Reads the record of an outline by identity, also of a record that has left the lists since. */
export interface RecordContents {
  message(outline: StoredMessage): Promise<StoredMessage>;
  verifierResult(outline: StoredVerifierResult): Promise<StoredVerifierResult>;
}

export function createRecordContents(storage: Pick<Storage, 'getMessage' | 'getCCVData'>): RecordContents {
  return {
    message: ({ messageId }) => storage.getMessage(messageId),
    async verifierResult({ messageId, verifierSourceAddress, verifierDestAddress }) {
      const [result] = await storage.getCCVData(messageId, { verifierSourceAddress, verifierDestAddress });
      if (!result) throw new CCVDataNotFoundError(messageId);
      return result;
    },
  };
}
