import { readdir, readFile } from 'node:fs/promises';
import { median } from './measure.js';
import { profiled } from './profile.js';

/** CPU time of an operation: of this process, and of the Postgres server with all its backends. */
export interface CpuCost {
  readonly nodeUs: number;
  /** Null: the operation asks no server. */
  readonly postgresUs: number | null;
}

/** One line of the table of costs. */
export interface Cost extends CpuCost {
  readonly what: string;
  /** To stay at or under; null: none. */
  readonly aim: CpuCost | null;
  /** Details of the measurement. */
  readonly note: string;
}

/**
 * Runs `work`, which resolves to the number of its operations. A run with `--profile` writes its profile under `what`.
 * @param serverPid process id of a Postgres server whose CPU time is counted too; null: none
 * @returns the CPU time of one operation, by the accounting of the operating system
 */
export async function measureCost(
  what: string,
  serverPid: number | null,
  work: () => Promise<number>,
): Promise<CpuCost> {
  const serverBefore = serverPid === null ? null : await cpuOfFamily(serverPid);
  const before = process.cpuUsage();
  const operations = await profiled(what, work);
  const { user, system } = process.cpuUsage(before);
  const server = serverPid === null || serverBefore === null ? null : (await cpuOfFamily(serverPid)) - serverBefore;
  return { nodeUs: (user + system) / operations, postgresUs: server === null ? null : server / operations };
}

/** The median of each part. */
export function medianCost(costs: readonly CpuCost[]): CpuCost {
  const servers = costs.flatMap(({ postgresUs }) => (postgresUs === null ? [] : [postgresUs]));
  return {
    nodeUs: median(costs.map(({ nodeUs }) => nodeUs)),
    postgresUs: servers.length === 0 ? null : median(servers),
  };
}

/** Whether both parts stay within the aim; null without one. */
export function isWithinCost({ nodeUs, postgresUs, aim }: Cost): boolean | null {
  if (aim === null) return null;
  return nodeUs <= aim.nodeUs && (postgresUs ?? 0) <= (aim.postgresUs ?? Number.POSITIVE_INFINITY);
}

/** Linux counts CPU time in ticks of 10 ms on every usual kernel (`getconf CLK_TCK`). */
const US_PER_TICK = 10_000;

/** CPU time in µs of a process, its children, and those of its children that ended. @throws where there is no /proc. */
async function cpuOfFamily(pid: number): Promise<number> {
  let ticks = 0;
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await statOf(name);
    if (stat === null) continue;
    if (name === String(pid)) ticks += stat.own + stat.endedChildren;
    else if (stat.parent === pid) ticks += stat.own;
  }
  return ticks * US_PER_TICK;
}

/** Fields 4 and 14 to 17 of `/proc/[pid]/stat` (proc_pid_stat(5)); null when the process has ended. */
async function statOf(pid: string): Promise<{ parent: number; own: number; endedChildren: number } | null> {
  let text: string;
  try {
    text = await readFile(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return null;
  }
  // the name of the command, which may hold anything, stands in parentheses
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [user = 0, system = 0, endedUser = 0, endedSystem = 0] = fields.slice(11, 15);
  return { parent: fields[1] ?? 0, own: user + system, endedChildren: endedUser + endedSystem };
}
