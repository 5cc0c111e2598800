import { LRUCache } from 'lru-cache';
import type { StoredMessage, StoredVerifierResult } from '../../model/records.js';
import { digestOf } from '../http/entity-tag.js';
import { messageEntryJson, verifierResultJson } from './record-json.js';

/** A record as JSON bytes. They are shared: never write to them. */
export interface Fragment {
  readonly json: Buffer;
  /** The same bytes after the record's key in a list: `"<message id>":`, and for a verifier result also `[`. */
  readonly keyed: Buffer;
  /** Of `json`, made when it is first asked for. */
  readonly digest: string;
}

/** Renders records, each once while it stays in the cache. */
export interface Fragments {
  /** `{ verifierResult, metadata }`. */
  verifierResult(record: StoredVerifierResult): Fragment;
  /** `{ message, metadata, messageCCVAddresses }`. */
  message(record: StoredMessage): Fragment;
}

class Entry<T> implements Fragment {
  readonly of: T;
  readonly keyed: Buffer;
  readonly json: Buffer;
  #digest: string | undefined;

  /** `key` is ASCII: as many bytes as characters. */
  constructor(record: T, key: string, json: string) {
    this.of = record;
    this.keyed = Buffer.from(key + json);
    this.json = this.keyed.subarray(key.length);
  }

  get digest(): string {
    this.#digest ??= digestOf(this.json);
    return this.#digest;
  }
}

/** Bytes of the objects around an entry's fragment and record. */
const ENTRY_BYTES = 512;
/** Bytes of the record that an entry keeps alive, by those of its fragment: hex takes twice the bytes. */
const RECORD_SHARE = 0.5;
/** A record above this share of the cache is rendered each time rather than pushing out everything else. */
const MAX_ENTRY_SHARE = 1 / 64;

/**
 * Fragments in least recently used order, at most `maxBytes` of them. The key is the position, which every change of a
 * record renews. Positions can come again in a database that was set back behind our backs, so a hit must also name the
 * same record at the same time.
 */
export function createFragments({ maxBytes }: { readonly maxBytes: number }): Fragments {
  if (maxBytes < ENTRY_BYTES) return { verifierResult: renderVerifierResult, message: renderMessage };
  const results = createLru<StoredVerifierResult>((maxBytes * 3) / 4);
  const messages = createLru<StoredMessage>(maxBytes / 4);
  return {
    verifierResult(record) {
      const key = Number(record.position);
      const hit = results.get(key);
      if (hit !== undefined && (hit.of === record || isSameResult(hit.of, record))) return hit;
      const fragment = renderVerifierResult(record);
      results.set(key, fragment);
      return fragment;
    },
    message(record) {
      const key = Number(record.position);
      const hit = messages.get(key);
      if (hit !== undefined && (hit.of === record || isSameMessage(hit.of, record))) return hit;
      const fragment = renderMessage(record);
      messages.set(key, fragment);
      return fragment;
    },
  };
}

function renderVerifierResult(record: StoredVerifierResult): Entry<StoredVerifierResult> {
  return new Entry(record, `"${record.messageId}":[`, verifierResultJson(record));
}

function renderMessage(record: StoredMessage): Entry<StoredMessage> {
  return new Entry(record, `"${record.messageId}":`, messageEntryJson(record));
}

function createLru<T>(maxBytes: number): LRUCache<number, Entry<T>> {
  const maxSize = Math.ceil(maxBytes);
  return new LRUCache({
    maxSize,
    maxEntrySize: Math.ceil(maxSize * MAX_ENTRY_SHARE),
    sizeCalculation: (fragment) => Math.ceil(fragment.keyed.length * (1 + RECORD_SHARE)) + ENTRY_BYTES,
  });
}

function isSameResult(a: StoredVerifierResult, b: StoredVerifierResult): boolean {
  return (
    a.position === b.position &&
    a.ingestionMs === b.ingestionMs &&
    a.messageId === b.messageId &&
    a.verifierSourceAddress === b.verifierSourceAddress &&
    a.verifierDestAddress === b.verifierDestAddress &&
    a.attestationMs === b.attestationMs &&
    a.verifierName === b.verifierName &&
    equalBytes(a.ccvData, b.ccvData)
  );
}

function isSameMessage(a: StoredMessage, b: StoredMessage): boolean {
  return (
    a.position === b.position && a.ingestionMs === b.ingestionMs && a.messageId === b.messageId && a.status === b.status
  );
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
