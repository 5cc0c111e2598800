/**
 * Resolves after the event loop's ready work: sockets have been written to and read from. Takes no time of a clock.
 */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
