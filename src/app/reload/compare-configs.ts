import { isDeepStrictEqual } from 'node:util';
import type { Config } from '../../config/schema/schema.js';

/** Sections that a running process takes over by giving its indexer another one in its place. */
const INDEXER_SECTIONS = ['Chain', 'Verifier', 'Discoveries', 'Scheduler', 'Pool', 'Lanes'] as const;

/** The difference that another configuration makes to a running process. Keys as in the file, without their values. */
export interface ConfigChange {
  /** Of the indexer's sections. */
  readonly indexer: readonly string[];
  readonly logLevel: boolean;
  readonly rateLimit: boolean;
  /** A restart takes them over. */
  readonly restart: readonly string[];
}

/** Compares the configuration that is in use with another one. */
export function compareConfigs(used: Config, next: Config): ConfigChange {
  const changed = changedKeys(used, next, '');
  const isOf = (section: string, key: string) =>
    key === section || key.startsWith(`${section}.`) || key.startsWith(`${section}[`);
  const indexer = changed.filter((key) => INDEXER_SECTIONS.some((section) => isOf(section, key)));
  const logLevel = changed.includes('Log.Level');
  const limits = changed.filter((key) => isOf('API.RateLimit', key));
  // a server without a limit has no place where one could be set
  const rateLimit = limits.length > 0 && used.API.RateLimit.Enabled;
  const taken = new Set([...indexer, 'Log.Level', ...(rateLimit ? limits : [])]);
  return { indexer, logLevel, rateLimit, restart: changed.filter((key) => !taken.has(key)) };
}

/** The configuration that is in use once a change was taken over. */
export function configInUse(used: Config, next: Config, { rateLimit }: ConfigChange): Config {
  const sections = Object.fromEntries(INDEXER_SECTIONS.map((section) => [section, next[section]]));
  return {
    ...used,
    ...sections,
    Log: { ...used.Log, Level: next.Log.Level },
    API: rateLimit ? { ...used.API, RateLimit: next.API.RateLimit } : used.API,
  };
}

function changedKeys(used: unknown, next: unknown, path: string): string[] {
  if (isDeepStrictEqual(used, next)) return [];
  if (!isTable(used) || !isTable(next) || Array.isArray(used) !== Array.isArray(next)) return [path];
  return [...new Set([...Object.keys(used), ...Object.keys(next)])].flatMap((key) => {
    const at = Array.isArray(used) ? `${path}[${key}]` : path === '' ? key : `${path}.${key}`;
    return changedKeys(used[key], next[key], at);
  });
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
