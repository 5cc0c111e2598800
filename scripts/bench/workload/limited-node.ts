import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** A node behind `url`, as a provider sells it. */
export interface NodeLimits {
  readonly url: string;
  /** Added to each answer. */
  readonly latencyMs: number;
  /** On average, and as many at once after a rest; those beyond get HTTP 429. */
  readonly requestsPerSecond: number;
  /** An answer with more logs is refused. */
  readonly mostLogs: number;
}

/** A proxy in front of a node that keeps its limits, in a process of its own: its CPU time is not the product's. */
export interface LimitedNode {
  readonly url: string;
  stop(): void;
}

export function startLimitedNode(limits: NodeLimits): Promise<LimitedNode> {
  const child = fork(fileURLToPath(new URL('./limited-node-process.js', import.meta.url)));
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('message', (url: string) => resolve({ url, stop: () => child.disconnect() }));
    child.send(limits);
  });
}
