import type { VerifierSection } from '../config/schema/schema.js';
import type { Common } from '../core/common.js';
import { createVerifierReader } from '../verifiers/create-verifier-reader.js';
import type { VerifierReader } from '../verifiers/verifier-reader.js';

/** The reader of a verifier as configured. */
export async function openVerifier(section: VerifierSection, common: Common): Promise<VerifierReader> {
  const shared = {
    name: section.Name,
    issuerAddresses: section.IssuerAddresses,
    requestTimeoutMs: section.RequestTimeout,
    batchSize: section.BatchSize,
    maxBatchWaitMs: section.MaxBatchWaitTime,
    maxResponseBytes: section.MaxResponseBytes,
    maxCCVDataBytes: section.MaxCCVDataBytes,
    common,
  };
  const { Type: type, BaseURL = '', Address = '' } = section;
  if (type === 'rest') return await createVerifierReader({ ...shared, type, baseUrl: BaseURL });
  return await createVerifierReader({
    ...shared,
    type,
    address: Address,
    apiKey: section.APIKey,
    secret: section.Secret,
    insecure: section.InsecureConnection,
    caFile: section.CACertFile,
  });
}
