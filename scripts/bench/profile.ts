import { writeFile } from 'node:fs/promises';
import { type Profiler, Session } from 'node:inspector/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Names the directory that profiles are written to; set by a run with `--profile` for its benchmarks. */
const VARIABLE = 'CCV_BENCH_PROFILE';
/** Functions that a summary names. */
const TOP = 12;

/** Makes the processes of benchmarks write profiles to `directory`; null: they write none. */
export function profileEnvironment(directory: string | null): Readonly<Record<string, string>> {
  return directory === null ? {} : { [VARIABLE]: directory };
}

/**
 * Runs `work`, under V8's profiler if the run writes profiles: the profile of the last time stays as a file that
 * Chromium's tools draw as a flame graph, and its functions with the most time of their own are printed.
 */
export async function profiled<T>(what: string, work: () => Promise<T>): Promise<T> {
  const directory = process.env[VARIABLE];
  if (directory === undefined) return await work();
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.start');
    const done = await work();
    const { profile } = await session.post('Profiler.stop');
    const file = join(directory, `${what.replaceAll(/[^\w.-]+/g, '-')}.cpuprofile`);
    await writeFile(file, JSON.stringify(profile));
    console.error(`${what}, ${file}:\n${formatSelfTimes(profile)}`);
    return done;
  } finally {
    session.disconnect();
  }
}

/**
 * The functions with the most time of their own, as shares of the samples in which the process was not idle. The times
 * between samples do not count: on a busy machine they are those of other processes.
 */
export function formatSelfTimes({ nodes, samples = [] }: Profiler.Profile): string {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const found = new Map<string, number>();
  let busy = 0;
  for (const id of samples) {
    const name = names.get(id) ?? '?';
    if (name === '(idle)') continue;
    busy += 1;
    found.set(name, (found.get(name) ?? 0) + 1);
  }
  return [...found]
    .sort(([, a], [, b]) => b - a)
    .slice(0, TOP)
    .map(([name, count]) => `${((100 * count) / busy).toFixed(1).padStart(6)} %  ${name}`)
    .join('\n');
}

function nameOf({ functionName, url, lineNumber }: Profiler.Profile['nodes'][number]['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  const path = url.startsWith('file:') ? fileURLToPath(url) : url;
  return `${name} ${path.split('/').slice(-2).join('/')}:${lineNumber + 1}`;
}
