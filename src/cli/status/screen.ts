import { formatCount, formatDuration } from '../amounts.js';
import { wordTable } from '../text-table.js';
import type { ProcessStatus } from './process-status.js';

/** What a process says of itself, for people: as many lines as it has parts. */
export function statusScreen(status: ProcessStatus, adminUrl: string): readonly string[] {
  const { version, commit, role, startedAt, now, counts } = status;
  const nowMs = Date.parse(now);
  const build = commit === null ? version : `${version} (${commit.slice(0, 12)})`;
  const name = role === 'both' ? 'worker and API' : role;
  return [
    `${adminUrl}: ${name}, ${build}, up ${formatDuration(nowMs - Date.parse(startedAt))}`,
    `${countOf(counts.messages)} messages, ${countOf(counts.verifierResults)} verifier results`,
    ...part('tiers', tierRows(status)),
    ...part('chains', chainRows(status)),
    ...part('aggregators', aggregatorRows(status, nowMs)),
    ...part('verifiers', verifierRows(status, nowMs)),
    ...taskLines(status),
    ...workerLines(status),
  ];
}

type Row = readonly string[];

function part(title: string, rows: readonly Row[]): readonly string[] {
  if (rows.length === 0) return [];
  return ['', title, ...wordTable(rows.map(([first = '', ...rest]) => [`  ${first}`, ...rest]))];
}

function countOf(count: number | { readonly unavailable: string }): string {
  return typeof count === 'number' ? formatCount(count) : `? (${count.unavailable})`;
}

function tierRows({ tiers }: ProcessStatus): readonly Row[] {
  if (!Array.isArray(tiers)) return [[`not to be had: ${tiers.unavailable}`]];
  return tiers.map(({ name, role, health, state, lag }) => [
    name,
    role,
    health.healthy ? (state ?? 'healthy') : `away: ${health.reason ?? 'it does not answer'}`,
    lag === null ? '' : `behind ${formatCount(BigInt(lag.positions))} positions, ${agoOf(lag.ms)}`,
  ]);
}

function chainRows({ sources = [] }: ProcessStatus): readonly Row[] {
  return sources.map(({ name, state, watcher }) => {
    const { head, processed, lagMs, rpc, problem, lastError } = watcher;
    const usable = rpc.filter((node) => node.state === 'ready').length;
    return [
      name,
      state === 'running' ? watcher.state : state,
      `head ${numberOf(head)}`,
      `stored ${numberOf(processed)}`,
      `${lagMs === null ? '?' : formatDuration(lagMs)} old`,
      `${usable} of ${rpc.length} nodes`,
      problem ?? lastError?.code ?? '',
    ];
  });
}

function aggregatorRows({ discoveries = [] }: ProcessStatus, nowMs: number): readonly Row[] {
  return discoveries.flatMap(({ aggregators }) =>
    aggregators.map(({ name, state, sequence, lastAnswerMs, lastError }) => [
      ...[name, state, `sequence ${sequence ?? '-'}`],
      lastAnswerMs === null ? 'never answered' : `answered ${formatDuration(Math.max(0, nowMs - lastAnswerMs))} ago`,
      lastError?.code ?? '',
    ]),
  );
}

function verifierRows({ scheduler }: ProcessStatus, nowMs: number): readonly Row[] {
  return (scheduler?.verifiers ?? []).map(({ name, circuit, lastSuccessMs, lastError }) => [
    name,
    circuit === 'closed' ? 'is asked' : `circuit ${circuit}`,
    lastSuccessMs === null ? 'no result yet' : `last result ${formatDuration(Math.max(0, nowMs - lastSuccessMs))} ago`,
    lastError ?? '',
  ]);
}

function taskLines({ scheduler }: ProcessStatus): readonly string[] {
  if (scheduler === undefined) return [];
  const { tasks, overflowed } = scheduler;
  const beyond = overflowed ? '; more wait in the database' : '';
  const { running, ready, waiting } = tasks;
  return ['', `unfinished messages: ${running} asked for now, ${ready} due, ${waiting} later${beyond}`];
}

function workerLines({ workers }: ProcessStatus): readonly string[] {
  if (workers === null) return [];
  if (!('members' in workers)) return ['', `workers: not to be had: ${workers.unavailable}`];
  const owned = (member: string) => workers.leases.filter(({ owner }) => owner === member).length;
  const free = workers.leases.filter(({ owner }) => owner === null).map(({ source }) => source);
  return [
    ...part(
      `workers: ${workers.members.length}`,
      workers.members.map(({ member, since }) => [member, `owns ${owned(member)} sources`, `since ${since}`]),
    ),
    ...(free.length > 0 ? [`sources without an owner: ${free.join(', ')}`] : []),
  ];
}

const numberOf = (block: number | null) => (block === null ? '-' : formatCount(block));
const agoOf = (ms: number | null) => (ms === null ? 'for an unknown time' : formatDuration(ms));
