import { statSync } from 'node:fs';
import { isLoopbackHost } from '../../core/network/ip-ranges.js';
import { SHORTEST_ANYWHERE } from '../../core/secret-forms.js';
import { secretsOfUrl } from '../../core/url-secrets.js';
import { SECRET_KEY } from '../config-secrets.js';
import type { TomlTable } from '../overlay.js';
import { textsIn } from '../placeholders.js';
import { type ConfigProblem, formatPath } from '../problems.js';

/** Texts of examples. */
const EXAMPLE_TEXT =
  /change[-_ ]?(?:me|it|this)|replace[-_ ]?(?:me|with|this)|\byour[-_ ]|<[a-z][^<>]*>|x{5,}|fixme|placeholder/i;
/** Passwords that are tried first. */
const FIRST_TRIED =
  'pass(?:word|w0rd)?\\d*|secret|example|test(?:ing)?|todo|dummy|admin|postgres|root|guest|minioadmin|12345\\d*|' +
  'letmein|qwerty';
const EXAMPLE_SECRET = new RegExp(`^(?:${FIRST_TRIED})$`, 'i');
const EXAMPLE_HOST = /(?:^|\.)(?:example\.(?:com|org|net)|example|invalid|test)$/i;

/** Secrets that are none, are sent in the clear, or cannot be kept out of the logs. */
export function secretWarnings(table: TomlTable): ConfigProblem[] {
  return textsIn(table, []).flatMap(({ path, text }): ConfigProblem[] => {
    const key = String(path.findLast((part) => typeof part === 'string') ?? '');
    const url = URL.canParse(text) && /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? new URL(text) : null;
    const passwords = SECRET_KEY.test(key) ? [text] : url?.password ? [decoded(url.password)] : [];
    const messages = [
      ...(EXAMPLE_TEXT.test(text) || passwords.some((each) => EXAMPLE_SECRET.test(each))
        ? ['looks like the value of an example: write the real one']
        : []),
      ...(passwords.some((each) => each !== '' && each.length < SHORTEST_ANYWHERE)
        ? [
            `holds a secret of fewer than ${SHORTEST_ANYWHERE} characters, which logs can mask only where it is ` +
              'marked as one: write a longer one',
          ]
        : []),
      ...(url ? urlWarnings(text, url) : []),
    ];
    return messages.map((message) => ({ path: formatPath(path), message }));
  });
}

function urlWarnings(text: string, url: URL): string[] {
  const host = url.hostname;
  if (EXAMPLE_HOST.test(host)) return ['leads to a host of documentation, which does not exist: write the real one'];
  const isClear = url.protocol === 'http:' || url.protocol === 'ws:';
  const hasSecrets = secretsOfUrl(text).some(({ where }) => where === 'anywhere');
  if (!isClear || !hasSecrets || isLoopbackHost(host)) return [];
  return [
    `sends its credentials in the clear: write ${url.protocol.replace(':', 's:')}//, unless the network in between ` +
      'is yours',
  ];
}

/** Files that others may read although there are secrets in them. */
export function fileWarnings(files: readonly { readonly file: string; readonly table: TomlTable }[]): ConfigProblem[] {
  return files.flatMap(({ file, table }): ConfigProblem[] => {
    const mode = statSync(file, { throwIfNoEntry: false })?.mode ?? 0;
    if ((mode & 0o004) === 0 || process.platform === 'win32' || !holdsSecrets(table)) return [];
    return [
      {
        path: file,
        message: 'holds secrets and can be read by every account of this machine: take that away (chmod o-r)',
      },
    ];
  });
}

function holdsSecrets(table: TomlTable): boolean {
  return textsIn(table, []).some(({ path, text }) => {
    if (text === '') return false;
    const url = URL.canParse(text) ? new URL(text) : null;
    return SECRET_KEY.test(String(path.at(-1))) || (url !== null && url.password !== '');
  });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
