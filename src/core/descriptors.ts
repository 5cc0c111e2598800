import { readFileSync } from 'node:fs';

/** The most files and sockets that this process may have open; `Infinity` where the system does not say. */
export function maxDescriptors(): number {
  try {
    const limits = readFileSync('/proc/self/limits', 'utf8');
    const soft = /^Max open files\s+(\d+)/m.exec(limits)?.[1];
    return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
  } catch {
    // not Linux
    return Number.POSITIVE_INFINITY;
  }
}
