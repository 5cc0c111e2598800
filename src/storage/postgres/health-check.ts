import type { Common } from '../../core/common.js';
import { IndexerError, messagesOf, toError } from '../../core/errors.js';
import { outsideText } from '../../core/outside-text.js';
import { StorageFailureError, StorageUnavailableError } from '../../model/storage-errors.js';
import type { Health } from '../storage.js';
import type { Namespace } from './connection/namespace.js';
import type { FailureKind } from './connection/sql-errors.js';
import { statementsOf } from './connection/statement.js';
import type { TransactionRunner } from './connection/transaction-runner.js';
import { RecallError } from './write/group-commit.js';

const ANSWER_MS = 2_000;
/** A write that failed says so for this long, unless one is done before: writers try again sooner. */
const FAULT_MS = 30_000;

const KINDS: ReadonlySet<unknown> = new Set<FailureKind>(['unavailable', 'failure']);

/** The use of the storage: a standby serves reads as well. */
export type PostgresUse = 'read' | 'write';

/** Whether the database serves the use of the storage. */
export interface HealthCheck {
  ask(): Promise<Health>;
  /** Learns from a write whether writes work. */
  watch<T>(write: Promise<T>): Promise<T>;
}

/**
 * Asks for a read, and a writer for a write that changes no row: a server that refuses writes refuses that one too.
 * Other reasons why writes fail (no room, no privilege) show in the writes themselves.
 */
export function createHealthCheck({
  common,
  name,
  use,
  namespace,
  runner,
  readClock,
}: {
  readonly common: Common;
  readonly name: string;
  readonly use: PostgresUse;
  readonly namespace: Namespace;
  readonly runner: TransactionRunner;
  readonly readClock: () => Promise<unknown>;
}): HealthCheck {
  const { clock } = common;
  const statement = statementsOf(namespace)('check_writable', 'UPDATE @ingest_clock SET last_ms = last_ms WHERE false');
  let fault: { readonly reason: string; readonly untilMs: number } | null = null;

  async function look(): Promise<void> {
    await readClock();
    if (use === 'read') return;
    await runner.read('check writes', { statement, values: [] });
    if (fault && clock.monotonicMs() < fault.untilMs) throw new StorageUnavailableError(name, fault.reason);
  }

  return {
    async ask() {
      const answered = new AbortController();
      const silence = clock.sleep(ANSWER_MS, answered.signal).then(() => {
        throw new StorageUnavailableError(name, 'answer in time');
      });
      try {
        await Promise.race([look(), silence]);
        return { healthy: true, reason: null };
      } catch (error) {
        return { healthy: false, reason: reasonOf(error) };
      } finally {
        answered.abort();
      }
    },
    async watch(write) {
      try {
        const value = await write;
        fault = null;
        return value;
      } catch (thrown) {
        if (isDatabaseFault(thrown))
          fault = { reason: `write: ${reasonOf(thrown)}`, untilMs: clock.monotonicMs() + FAULT_MS };
        throw thrown;
      }
    },
  };
}

/** Failures of values, of a recalling tier or of a connection do not count: the read shows a lost connection. */
function isDatabaseFault(thrown: unknown): boolean {
  const isStorage = thrown instanceof StorageUnavailableError || thrown instanceof StorageFailureError;
  return isStorage && !(thrown instanceof RecallError) && KINDS.has(thrown.details['kind']);
}

function reasonOf(thrown: unknown): string {
  const error = toError(thrown);
  const nextStep = error instanceof IndexerError ? error.details['nextStep'] : undefined;
  const said = outsideText(messagesOf(error).join(': '));
  return typeof nextStep === 'string' ? `${said}: ${nextStep}` : said;
}
