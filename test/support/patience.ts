/**
 * How long a test waits for something that happens elsewhere: in another process, over a socket, in the background. It is
 * the only limit, and no measure of speed: a machine that is busy with other work may be twenty times slower.
 */
export const PATIENCE_MS = 180_000;

/** A whole test, or a hook, waits for several things, one after the other. */
export const TEST_LIMIT_MS = 5 * PATIENCE_MS;
