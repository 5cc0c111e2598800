import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

/** The checkout. */
export const ROOT = join(import.meta.dirname, '../..');

/** A page of the repository. */
export interface Page {
  /** From the checkout, for example `src/README.md`. */
  readonly path: string;
  readonly text: string;
}

/** Folders without pages of the repository. */
const LEFT_OUT = new Set(['node_modules', 'dist', 'data', 'coverage']);

/** Every page of the repository. */
export function readPages(): readonly Page[] {
  return pathsBelow(ROOT).map((path) => ({ path: relative(ROOT, path), text: readFileSync(path, 'utf8') }));
}

function pathsBelow(directory: string): string[] {
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const { name } = entry;
    if (name.startsWith('.') || LEFT_OUT.has(name)) return [];
    const path = join(directory, name);
    if (entry.isDirectory()) return pathsBelow(path);
    return name.endsWith('.md') ? [path] : [];
  });
}

/** The relative links of a page that lead nowhere, with the heading where there is one. */
export function deadLinks({ path, text }: Page): readonly string[] {
  return [...withoutFences(text).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = '']) =>
    /^[a-z]+:/.test(target) || leads(path, target) ? [] : [target],
  );
}

function leads(path: string, target: string): boolean {
  const [file = '', heading] = target.split('#', 2);
  const place = file === '' ? join(ROOT, path) : join(ROOT, dirname(path), file);
  if (!existsSync(place)) return false;
  return heading === undefined || headingsOf(readFileSync(place, 'utf8')).has(heading);
}

/** Headings as links name them. */
function headingsOf(text: string): ReadonlySet<string> {
  const headings = [...withoutFences(text).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    ),
  );
}

function withoutFences(text: string): string {
  return text.replace(/^ *```[\s\S]*?^ *```$/gm, '');
}

/** A command of a page, without its comment. */
export interface PageCommand {
  readonly page: string;
  readonly command: string;
}

/** The lines of all `sh` blocks of a page. */
export function commandsOf({ path, text }: Page): readonly PageCommand[] {
  return [...text.matchAll(/^ *```sh\n([\s\S]*?)^ *```$/gm)]
    .flatMap(([, block = '']) => block.replaceAll('\\\n', ' ').split('\n'))
    .map((line) => line.replace(/(^|\s)#.*$/, '').trim())
    .flatMap((command) => (command === '' ? [] : [{ page: path, command }]));
}
