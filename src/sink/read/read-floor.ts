import type { AsOf } from '../../model/coverage.js';

/**
 * The positions and times that this process has shown or acknowledged. No read goes back behind them: a client that saw
 * a change, or whose write was acknowledged, sees it in every later answer of the same Sink.
 */
export class ReadFloor {
  #position = 0n;
  #movePosition = 0n;
  #closedMs = -1;

  /** A backend that stands below this is not asked about the present. */
  get position(): bigint {
    return this.#position;
  }
  /** A backend that stands below this is not asked at all: it may list records that have moved or left since. */
  get movePosition(): bigint {
    return this.#movePosition;
  }
  /** Nothing new appears at or below this ingestion time, unix ms. */
  get closedMs(): number {
    return this.#closedMs;
  }

  /** An answer was given. */
  answered(asOf: AsOf): void {
    this.reached(asOf.position);
    this.moved(asOf.movePosition);
  }

  /** Records moved or left at this position. */
  moved(position: bigint): void {
    if (position > this.#movePosition) this.#movePosition = position;
  }

  /** A change at this position was shown or acknowledged. */
  reached(position: bigint): void {
    if (position > this.#position) this.#position = position;
  }

  /** A commit with this ingestion time exists. */
  closed(ingestionMs: number): void {
    if (ingestionMs > this.#closedMs) this.#closedMs = ingestionMs;
  }

  /** Records were shown. */
  showed(records: readonly { readonly position: bigint; readonly ingestionMs: number }[]): void {
    for (const record of records) {
      this.reached(record.position);
      this.closed(record.ingestionMs);
    }
  }
}
