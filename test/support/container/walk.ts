import { execFile } from 'node:child_process';
import { cp, mkdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import type { Build, Image } from './build-image.js';
import type { Instruction } from './instructions.js';
import type { Registry } from './registry.js';

const run = promisify(execFile);

/** One stage on its way: the part of an image that its instructions have made. */
interface Stage {
  readonly root: string;
  readonly args: Record<string, string>;
  readonly environment: Record<string, string>;
  readonly labels: Record<string, string>;
  readonly words: Record<string, readonly string[]>;
  directory: string;
  user: string;
}

/**
 * Walks the instructions of a Containerfile in directories below `scratch`, each RUN in its root by chroot: a builder without
 * mounts and layers, for machines that allow no other. It knows the forms that our file uses and refuses others.
 */
export async function walk(
  build: Build,
  instructions: readonly Instruction[],
  baseRoot: string,
  scratch: string,
  registry: Registry,
): Promise<Image> {
  const given: Record<string, string> = { ...build.args, BASE: baseRoot };
  const stages = new Map<string, Stage>();
  let stage: Stage | null = null;
  for (const { name, text } of instructions) {
    if (name === 'FROM') {
      const [, title = 'last'] = /^\$\{BASE\}(?: AS (\w+))?$/.exec(text) ?? [];
      stage = await beginStage(join(scratch, `stage-${title}`), baseRoot);
      stages.set(title, stage);
    } else if (stage !== null) await walkOne(stage, name, text, { build, given, stages, registry });
  }
  if (stage === null) throw new Error('a Containerfile has a FROM');
  const { root, user, directory, environment, labels, words } = stage;
  const { ENTRYPOINT: entrypoint = [], CMD: command = [], HEALTHCHECK: healthcheck = [] } = words;
  return { root, user, directory, environment, entrypoint, command, healthcheck, labels };
}

async function beginStage(root: string, baseRoot: string): Promise<Stage> {
  await run('cp', ['-a', baseRoot, root]);
  const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
  return { root, args: {}, environment: { PATH }, labels: {}, words: {}, directory: '/', user: '0:0' };
}

interface Walk {
  readonly build: Build;
  readonly given: Readonly<Record<string, string>>;
  readonly stages: ReadonlyMap<string, Stage>;
  readonly registry: Registry;
}

async function walkOne(stage: Stage, name: string, text: string, { build, given, stages, registry }: Walk) {
  const filled = text.replace(/\$\{(\w+)\}/g, (_, variable: string) => stage.args[variable] ?? '');
  if (name === 'ARG') stage.args[text] = given[text] ?? '';
  else if (name === 'ENV') Object.assign(stage.environment, pairsOf(filled));
  else if (name === 'LABEL') Object.assign(stage.labels, pairsOf(filled));
  else if (name === 'USER') stage.user = filled;
  else if (name === 'WORKDIR') stage.directory = await directoryAt(stage.root, filled);
  else if (name === 'COPY') await copy(stage, filled, build.context, stages);
  else if (name === 'RUN') await runIn(stage, text, registry);
  else if (name === 'ENTRYPOINT' || name === 'CMD') stage.words[name] = JSON.parse(text);
  else if (name === 'HEALTHCHECK') stage.words[name] = ['CMD', ...JSON.parse(/ CMD (.*)$/.exec(text)?.[1] ?? '')];
  else if (name !== 'EXPOSE') throw new Error(`the walk does not know ${name}`);
}

async function directoryAt(root: string, path: string): Promise<string> {
  await mkdir(join(root, path), { recursive: true });
  return path;
}

function pairsOf(text: string): Record<string, string> {
  return Object.fromEntries(
    [...text.matchAll(/([\w.]+)=("[^"]*"|\S*)/g)].map(([, key, value = '']) => [key, value.replace(/^"|"$/g, '')]),
  );
}

async function copy(stage: Stage, text: string, context: string, stages: ReadonlyMap<string, Stage>): Promise<void> {
  const [, other, rest = ''] = /^(?:--from=(\w+) )?(.*)$/.exec(text) ?? [];
  const source = other === undefined ? context : (stages.get(other)?.root ?? '');
  const words = rest.split(' ');
  const target = join(stage.root, words.at(-1)?.startsWith('/') ? '' : stage.directory, words.at(-1) ?? '');
  for (const word of words.slice(0, -1))
    await cp(join(source, word), /\/(\.\/)?$/.test(rest) ? join(target, basename(word)) : target, {
      ...{ recursive: true, verbatimSymlinks: true },
    });
}

async function runIn({ root, args, environment, directory }: Stage, text: string, { files }: Registry): Promise<void> {
  const names = ['/etc/hosts', '/etc/resolv.conf'].map((path) => ({ from: path, to: path }));
  const small = [...files.slice(0, -1), ...names];
  for (const { from, to } of small) await cp(from, join(root, to));
  const enter = [`--root=${root}`, `--wd=${directory}`, '/bin/sh', '-c', text];
  await run('unshare', enter, { env: { HOME: '/root', ...environment, ...args }, maxBuffer: 2 ** 26 });
  for (const { to } of small) await rm(join(root, to));
}
