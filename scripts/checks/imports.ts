import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { KnownException, Rooms } from './rooms.js';

const IMPORT = /(?:from|import)\s*\(?\s*'(\.{1,2}\/[^']+)'/g;

/**
 * One line for each import that goes against the directions of the rooms, and for each circle of files, with the next
 * step.
 */
export function importProblems(source: string, rooms: Rooms, exceptions: readonly KnownException[] = []): string[] {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name))
    .sort();
  const known = new Set(files);
  const graph = new Map(files.map((file) => [file, importsOf(source, file, known)]));
  const unused = new Set(exceptions);
  const problems: string[] = [];
  for (const [file, targets] of graph) {
    const room = roomOf(file, rooms);
    if (room === null) {
      problems.push(`${file}: is in no room: put it into one, or name its room in scripts/checks/rooms.ts`);
      continue;
    }
    for (const target of targets) {
      if (mayImport(room, roomOf(target, rooms), rooms)) continue;
      const exception = exceptions.find(({ from, to }) => from === file && to === target);
      if (exception) unused.delete(exception);
      else problems.push(refusal(file, target, room, rooms));
    }
  }
  for (const { from, to } of unused)
    problems.push(`${from}: imports ${to} no more: remove its exception from scripts/checks/rooms.ts`);
  return [...problems, ...circles(graph)];
}

function refusal(file: string, target: string, room: string, rooms: Rooms): string {
  if (target.startsWith('..'))
    return `${file}: imports ${target}, which is not in src: move what the package needs into src`;
  const allowed = rooms[room] ?? [];
  return (
    `${file}: imports ${target}, but '${room}' knows ${allowed.length > 0 ? allowed.join(', ') : 'no other room'} ` +
    'only: ' +
    'move what it needs to a room below both'
  );
}

/** The longest name that holds the file; null: none. */
function roomOf(file: string, rooms: Rooms): string | null {
  for (let name = file; name !== '.'; name = dirname(name)) if (Object.hasOwn(rooms, name)) return name;
  return null;
}

function mayImport(room: string, target: string | null, rooms: Rooms): boolean {
  if (target === null) return false;
  if (target === room) return true;
  return (rooms[room] ?? []).some(
    (allowed) =>
      allowed === target || (allowed.endsWith('/**') && `${target}/`.startsWith(allowed.slice(0, -'**'.length))),
  );
}

function importsOf(source: string, file: string, known: ReadonlySet<string>): string[] {
  const text = readFileSync(join(source, file), 'utf8');
  return [...text.matchAll(IMPORT)].map(([, path = '']) =>
    withEnding(relative(source, resolve(source, dirname(file), path)), known),
  );
}

/** The source behind the name that its built form has. */
function withEnding(path: string, known: ReadonlySet<string>): string {
  const [plain, withMarkup] = [path.replace(/\.js$/, '.ts'), path.replace(/\.js$/, '.tsx')];
  return known.has(withMarkup) ? withMarkup : plain;
}

function circles(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const problems: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) {
      const circle = [...path.slice(path.indexOf(file)), file];
      problems.push(`${file}: circle ${circle.join(' -> ')}: move what two of them share to a file of its own`);
      return;
    }
    if (done.has(file)) return;
    for (const target of graph.get(file) ?? []) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of graph.keys()) visit(file, []);
  return problems;
}
