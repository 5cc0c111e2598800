import { execFileSync } from 'node:child_process';

/** One process, told from a later one with the same pid by when it began. */
export interface SeenProcess {
  readonly pid: number;
  readonly parent: number;
  readonly started: string;
  readonly command: string;
}

/** Everything that runs below `pid`, which itself is not part of it. */
export function descendantsOf(pid: number): SeenProcess[] {
  const all = runningProcesses();
  const found: SeenProcess[] = [];
  for (let parents = [pid]; parents.length > 0; ) {
    const children = all.filter(({ parent }) => parents.includes(parent));
    found.push(...children);
    parents = children.map((child) => child.pid);
  }
  return found;
}

/** Those of `processes` that still run. */
export function stillRunning(processes: readonly SeenProcess[]): SeenProcess[] {
  const all = new Map(runningProcesses().map((each) => [each.pid, each]));
  return processes.filter(({ pid, started }) => all.get(pid)?.started === started);
}

function runningProcesses(): SeenProcess[] {
  const text = execFileSync('ps', ['-A', '-o', 'pid=,ppid=,stat=,lstart=,args='], {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
    maxBuffer: 64 * 1024 * 1024,
  });
  return text.split('\n').flatMap((line) => {
    // lstart: day of the week, month, day, time, year
    const [, pid, parent, state, started, command] =
      /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(\S+ \S+\s+\d+ \S+ \d+)\s+(.*)$/.exec(line) ?? [];
    // a zombie has ended; whoever inherited it has only not looked yet
    if (pid === undefined || parent === undefined || started === undefined || state?.startsWith('Z')) return [];
    return [{ pid: Number(pid), parent: Number(parent), started, command: command ?? '' }];
  });
}
