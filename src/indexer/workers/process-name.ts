import { createHash } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Random } from '../../core/random.js';

/** This process among the members. */
export interface ProcessName {
  /** `host:pid:` and 16 hex digits: of the place where its pid means it, and random ones. Unlike any other. */
  readonly member: string;
  /** Whether a member was a process of this place that has ended. False for every other member. */
  hasEnded(member: string): boolean;
}

const NAME = /:(\d+):([0-9a-f]{8})[0-9a-f]{8}$/;

/** Names this process. */
export function nameProcess(random: Random): ProcessName {
  const digits = () =>
    Math.floor(random() * 2 ** 32)
      .toString(16)
      .padStart(8, '0');
  const place = readPlace() ?? digits();
  return {
    member: `${hostname()}:${process.pid}:${place}${digits()}`,
    hasEnded(member) {
      const [, pid, where] = NAME.exec(member) ?? [];
      return where === place && !isRunning(Number(pid));
    },
  };
}

/** The boot of this machine and the namespace of pids, hashed; null where the system does not say. */
function readPlace(): string | null {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8');
    const pids = readlinkSync('/proc/self/ns/pid');
    return createHash('sha256').update(`${boot}${pids}`).digest('hex').slice(0, 8);
  } catch {
    // not Linux, or /proc is hidden
    return null;
  }
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (thrown) {
    // EPERM: it runs, as another user
    return (thrown as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}
