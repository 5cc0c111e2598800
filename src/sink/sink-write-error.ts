import { codeOf, IndexerError } from '../core/errors.js';

/** A backend that did not do its part of a write, and why. */
export interface BackendFailure {
  readonly backend: string;
  readonly error: Error;
}

/**
 * A write through the Sink that must not be taken as done: the leader or another required backend failed. When
 * `committed` is true the leader holds the records and following goes on repairing the others; when false the leader
 * did not confirm them. Sending the batch again is safe either way: a stored record is a duplicate.
 * `retryable` is that of the causes.
 */
export class SinkWriteError extends IndexerError {
  readonly failed: readonly BackendFailure[];
  readonly succeeded: readonly string[];
  readonly committed: boolean;

  constructor(parts: {
    readonly failed: readonly BackendFailure[];
    readonly succeeded: readonly string[];
    readonly committed: boolean;
  }) {
    const names = parts.failed.map(({ backend }) => backend);
    super(
      'SINK_WRITE_FAILED',
      parts.committed
        ? `the write is committed but not acknowledged: ${names.join(', ')} required and failing, repair goes on`
        : `the write failed in ${names.join(', ')} and is not acknowledged`,
      parts.failed.every(({ error }) => error instanceof IndexerError && error.retryable),
      {
        cause: parts.failed[0]?.error,
        details: {
          failed: parts.failed.map(({ backend, error }) => ({ backend, code: codeOf(error) })),
          succeeded: parts.succeeded,
          committed: parts.committed,
        },
      },
    );
    this.failed = parts.failed;
    this.succeeded = parts.succeeded;
    this.committed = parts.committed;
  }
}
