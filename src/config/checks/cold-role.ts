import type { BackendSection } from '../schema/storage-schema.js';

/**
 * The role of a backend of Type = "s3": a `follower` follows the system of record and may be minutes late; a `leader`
 * is the system of record itself, because nothing else lasts. Null for other types.
 */
export function coldRole(section: BackendSection, all: readonly BackendSection[]): 'follower' | 'leader' | null {
  if (section.Type !== 's3') return null;
  const leads = all.every(({ Type }) => Type !== 'postgres') && all.find(({ Type }) => Type === 's3') === section;
  return leads ? 'leader' : 'follower';
}

/** How often a backend that lags behind the system of record is brought up to it, ms; null: it does not lag. */
export function flushIntervalMs(section: BackendSection, all: readonly BackendSection[]): number | null {
  return coldRole(section, all) === 'follower' ? (section.S3?.FlushInterval ?? null) : null;
}
