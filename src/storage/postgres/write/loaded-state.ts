import type { Hex } from '../../../core/hex.js';
import type { ExecutionOrphaning, Lease } from '../../../model/batch.js';
import type { GivenBatch } from '../../../model/commit/given-batch.js';
import type { Known, KnownId, KnownMessage, KnownResult } from '../../../model/commit/known.js';
import {
  conflictIdentity,
  executionIdentity,
  logIdentity,
  logOf,
  quarantineIdentity,
  type ResultIdentity,
} from '../../../model/identity.js';
import type { MessageBody, SourceCursor, StoredExecution } from '../../../model/records.js';
import { hashIdentity } from '../rows/identity-hash.js';

/** A message id as it is loaded, and completed where a plan lacks something. */
export interface LoadedId extends KnownId {
  body: MessageBody | null;
  readonly bodyHash: Hex;
  isPruned: boolean;
  message: KnownMessage | undefined;
  readonly results: KnownResult[];
}

/** The stored state that a group of batches touches. */
export interface LoadedState extends Known {
  readonly ids: Map<Hex, LoadedId>;
  /** By identity. */
  readonly executions: Map<string, StoredExecution>;
  readonly cursors: Map<string, SourceCursor>;
  readonly leases: Map<string, Lease>;
  /** Identities, as rows have them, of entries that are stored. */
  readonly quarantine: Set<Hex>;
  /** By identity: whether the conflict is recorded. */
  readonly conflicts: Map<string, boolean>;
}

export function createLoadedState(): LoadedState {
  const ids = new Map<Hex, LoadedId>();
  const executions = new Map<string, StoredExecution>();
  const cursors = new Map<string, SourceCursor>();
  const leases = new Map<string, Lease>();
  const quarantine = new Set<Hex>();
  const conflicts = new Map<string, boolean>();
  return {
    ...{ ids, executions, cursors, leases, quarantine, conflicts },
    id: (messageId) => ids.get(messageId),
    execution: (log) => executions.get(logIdentity(log)),
    cursor: (sourceId) => cursors.get(sourceId),
    lease: (source) => leases.get(source),
    hasQuarantine: (entry) => quarantine.has(hashIdentity(quarantineIdentity(entry))),
    hasConflict: (conflict) => conflicts.get(conflictIdentity(conflict)),
  };
}

/** The parts of the database to load before a group of batches can be planned. */
export interface Touched {
  readonly messageIds: readonly Hex[];
  /** Those of them whose body is needed too: their record changes without being given again. */
  readonly withBody: ReadonlySet<Hex>;
  /** Those of which all results are needed: they may leave the lists. */
  readonly withResults: readonly Hex[];
  /** One that is given twice is here twice. */
  readonly results: readonly ResultIdentity[];
  /** The logs of executions. */
  readonly logs: readonly ExecutionOrphaning[];
  readonly sourceIds: readonly string[];
  /** The sources whose leases the batches name. */
  readonly leased: readonly string[];
  readonly quarantine: readonly Hex[];
}

/** Everything that the batches name. */
export function touchedBy(batches: readonly GivenBatch[]): Touched {
  const messageIds = new Set<Hex>();
  const withBody = new Set<Hex>();
  const withResults = new Set<Hex>();
  const results: ResultIdentity[] = [];
  const logs = new Map<string, ExecutionOrphaning>();
  const sourceIds = new Set<string>();
  const leased = new Set<string>();
  const quarantine = new Set<Hex>();
  for (const batch of batches) {
    for (const { messageId } of batch.orphanings ?? []) withResults.add(messageId);
    for (const { messageId } of batch.orphanings ?? []) withBody.add(messageId);
    for (const { messageId } of batch.statuses ?? []) withBody.add(messageId);
    for (const { messageId } of batch.messages ?? []) messageIds.add(messageId);
    for (const result of batch.verifierResults ?? []) {
      messageIds.add(result.messageId);
      results.push(result);
    }
    for (const log of batch.executionOrphanings ?? []) logs.set(logIdentity(log), log);
    for (const execution of batch.executions ?? []) logs.set(executionIdentity(execution), logOf(execution));
    for (const { sourceId } of batch.cursors ?? []) sourceIds.add(sourceId);
    if (batch.lease) leased.add(batch.lease.source);
    for (const entry of batch.quarantine ?? []) quarantine.add(hashIdentity(quarantineIdentity(entry)));
  }
  for (const messageId of withBody) messageIds.add(messageId);
  return {
    messageIds: [...messageIds],
    withBody,
    withResults: [...withResults],
    results,
    logs: [...logs.values()],
    sourceIds: [...sourceIds],
    leased: [...leased],
    quarantine: [...quarantine],
  };
}
