import { readFileSync } from 'node:fs';
import { parse, TomlError } from 'smol-toml';
import { toError } from '../core/errors.js';
import type { TomlTable } from './overlay.js';
import { ConfigError } from './problems.js';

const START_FROM = {
  config: 'see config/example.toml for one to start from',
  generated: 'correct GeneratedConfigPath, which is seen from the configuration file',
  secrets: 'correct the path of the secrets file, or see config/secrets.example.toml for one to start from',
} as const;

/**
 * The TOML of a file.
 * @throws ConfigError saying where it is none.
 */
export function readTable(file: string, kind: keyof typeof START_FROM = 'config'): TomlTable {
  const text = decode(file, readBytes(file, kind));
  try {
    return parse(text);
  } catch (thrown) {
    if (!(thrown instanceof TomlError)) throw thrown;
    const [firstLine = 'not TOML'] = thrown.message.split('\n');
    throw new ConfigError(file, [{ path: `line ${thrown.line}, column ${thrown.column}`, message: firstLine }]);
  }
}

function readBytes(file: string, kind: keyof typeof START_FROM): Uint8Array {
  try {
    return readFileSync(file);
  } catch (thrown) {
    throw new ConfigError(file, [{ path: '(file)', message: whyUnreadable(thrown, kind) }], thrown);
  }
}

function whyUnreadable(thrown: unknown, kind: keyof typeof START_FROM): string {
  switch ((thrown as NodeJS.ErrnoException).code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return `there is no such file; ${START_FROM[kind]}`;
    case 'EACCES':
    case 'EPERM':
      return 'this account may not read it: change its owner or its permissions';
    case 'EISDIR':
      return 'is a directory: write the path of a file';
    default:
      return `${toError(thrown).message}; ${START_FROM[kind]}`;
  }
}

/** Text, without the mark that some editors put at its head. */
function decode(file: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigError(file, [{ path: placeOf(bytes), message: 'is not UTF-8: save the file in that encoding' }]);
  }
}

/** Where the first byte is that belongs to no UTF-8. */
function placeOf(bytes: Uint8Array): string {
  const text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
  const before = text.slice(0, firstReplaced(text, bytes));
  const lines = before.split('\n');
  return `line ${lines.length}, column ${(lines.at(-1) ?? '').length + 1}`;
}

/** A replacement character may be meant: the first that was not. */
function firstReplaced(text: string, bytes: Uint8Array): number {
  for (let at = text.indexOf('\uFFFD'); at >= 0; at = text.indexOf('\uFFFD', at + 1)) {
    const before = Buffer.byteLength(text.slice(0, at));
    if (Buffer.compare(bytes.subarray(before, before + 3), Buffer.from('\uFFFD')) !== 0) return at;
  }
  return 0;
}
