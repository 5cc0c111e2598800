import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** Wide lines that are shown of many. */
const MOST_SHOWN = 20;

/** What a source tree is held to. Each exception may shrink, and goes once it is not needed. */
export interface SizeLimits {
  readonly columns: number;
  readonly lines: number;
  readonly filesInFolder: number;
  /** Folders whose lines are measured. */
  readonly narrow: readonly string[];
  /** Lines that may be wider, in all. */
  readonly wideLines: number;
  /** Files that programs write: as long as they get. */
  readonly generated: readonly string[];
  /** Files that may be longer, each with its most lines. */
  readonly longFiles: Readonly<Record<string, number>>;
}

/** One line for each thing in `folders` of `root` that is larger than the limits, with the next step. */
export function sizeProblems(root: string, folders: readonly string[], limits: SizeLimits): string[] {
  const problems: string[] = [];
  const wide: string[] = [];
  const counts = new Map<string, number>();
  const unused = new Set(Object.keys(limits.longFiles));
  for (const file of folders.flatMap((folder) => filesIn(root, folder))) {
    counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1);
    if (!/\.(tsx?|js|mjs|css)$/.test(file)) continue;
    const lines = readFileSync(join(root, file), 'utf8').trimEnd().split('\n');
    const most = limits.generated.includes(file) ? Infinity : (limits.longFiles[file] ?? limits.lines);
    if (lines.length > most)
      problems.push(`${file}: has ${lines.length} lines of at most ${most}: give a part of it a file of its own`);
    if (lines.length > limits.lines) unused.delete(file);
    if (limits.narrow.some((folder) => file.startsWith(`${folder}/`)))
      for (const [index, line] of lines.entries())
        if ([...line].length > limits.columns)
          wide.push(`${file}:${index + 1}: is ${[...line].length} columns wide of at most ${limits.columns}: break it`);
  }
  for (const [folder, count] of counts)
    if (count > limits.filesInFolder)
      problems.push(`${folder}: holds ${count} files of at most ${limits.filesInFolder}: make rooms in it`);
  for (const file of unused)
    problems.push(`${file}: is not too long any more: remove its exception from scripts/check-sizes.ts`);
  const isWider = wide.length > limits.wideLines;
  if (isWider && limits.wideLines > 0)
    problems.push(`${wide.length} lines are too wide of at most ${limits.wideLines}, as these:`);
  return isWider ? [...problems, ...wide.slice(0, MOST_SHOWN)] : problems;
}

function filesIn(root: string, folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath.slice(root.length + 1), entry.name))
    .sort();
}
