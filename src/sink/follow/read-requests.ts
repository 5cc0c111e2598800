/** Requests to read the leader, numbered from 1. A read serves every request that was made before it began. */
export class ReadRequests {
  #made = 0;
  #served = 0;

  /** Makes a request, and returns its number. */
  make(): number {
    this.#made += 1;
    return this.#made;
  }
  /** The number of the latest request. */
  get latest(): number {
    return this.#made;
  }
  /** Whether a request waits for a read. */
  get isWaiting(): boolean {
    return this.#served < this.#made;
  }
  isServed(request: number): boolean {
    return this.#served >= request;
  }
  /** A read that began when `latest` was the latest request has reached the leader's head. */
  serve(latest: number): void {
    this.#served = latest;
  }
}
