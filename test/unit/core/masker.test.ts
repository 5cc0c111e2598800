import { Writable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { IndexerError } from '../../../src/core/errors.js';
import { createLogger } from '../../../src/core/logger.js';
import { createMasker, secrets } from '../../../src/core/masker.js';
import { firstOutsideLine, outsideText } from '../../../src/core/outside-text.js';
import type { Secret } from '../../../src/core/secret-forms.js';
import { secretsOfUrl } from '../../../src/core/url-secrets.js';

const anywhere = (...texts: string[]): Secret[] => texts.map((text) => ({ text, where: 'anywhere' }));
const masker = (...texts: string[]) => {
  const made = createMasker();
  made.add(anywhere(...texts));
  return made;
};
const base64 = (text: string | Buffer) => Buffer.from(text).toString('base64');

const AWKWARD = 'p@ss w/"rd+<é>\\1';

describe('a secret is masked', () => {
  it.each([
    ['as it is', AWKWARD],
    ['in a path', encodeURIComponent(AWKWARD)],
    ['in a form', String(new URLSearchParams({ k: AWKWARD })).slice(2)],
    ['in lower-case escapes', encodeURIComponent(AWKWARD).toLowerCase().replace('%c3%a9', '%C3%A9')],
    ['half encoded', encodeURI(AWKWARD)],
    ['encoded twice', encodeURIComponent(encodeURIComponent(AWKWARD))],
    ['in JSON', JSON.stringify(AWKWARD).slice(1, -1)],
    ['in JSON in JSON', JSON.stringify(JSON.stringify(AWKWARD)).slice(3, -3)],
    ['in JSON of Go', JSON.stringify(AWKWARD).slice(1, -1).replace('<', '\\u003c').replace('>', '\\u003E')],
    ['in HTML', 'p@ss w/&quot;rd+&lt;é&gt;\\1'],
    ['in base64', base64(AWKWARD)],
    ['in base64url', Buffer.from(AWKWARD).toString('base64url')],
    ['in hex', Buffer.from(AWKWARD).toString('hex').toUpperCase()],
  ])('%s', (_how, form) => {
    expect(masker(AWKWARD).text(`before ${form} after`)).toMatch(/^before \*\*\*=* after$/);
  });

  it.each(['', 'u', 'us', 'use', 'user:', 'somebody:'])('in base64 behind %j', (front) => {
    const shown = masker('Zq8-Very-Secret-77').text(`Basic ${base64(`${front}Zq8-Very-Secret-77@`)} refused`);
    expect(shown).toContain('***');
    expect(Buffer.from(shown.split(' ')[1]!.replace(/\*+/g, ''), 'base64').toString()).not.toContain('Very');
  });

  it('that is hex in either case, with or without 0x, and its bytes in base64', () => {
    const key = 'deadBEEF0123456789abcdef';
    const made = masker(key);
    for (const form of [key.toUpperCase(), `0x${key.toLowerCase()}`, base64(Buffer.from(key, 'hex'))])
      expect(made.text(form)).toMatch(/^(0x)?\*\*\*$/);
  });

  it('whole when another one is part of it', () => {
    expect(masker('secret-1', 'secret-12345').text('a secret-12345 b')).toBe('a *** b');
  });
});

describe('ordinary text stays', () => {
  it('where a secret is short: it is masked only where it is marked as a value', () => {
    const made = masker('warm');
    expect(made.text('warm is a warm backend of warmth')).toBe('warm is a warm backend of warmth');
    expect(made.text('postgres://u:warm@h/warm?password=warm&x=warmth')).toBe(
      'postgres://u:***@h/***?password=***&x=warmth',
    );
  });

  it('where a number is a secret: numbers of JSON and longer ones are others', () => {
    const made = masker('12345678');
    const json = '{"a":12345678,"b":[12345678,1123456789],"c":"12345678","d":-12345678.5}';
    expect(made.json(json)).toBe(json.replace('"12345678"', '"***"'));
    expect(made.text('http://u:12345678@h')).toBe('http://u:***@h');
  });

  it('and the names of fields, so that JSON is read as before', () => {
    expect(masker('postgres').json('{"postgres":{"type":"postgres"}}')).toBe('{"postgres":{"type":"***"}}');
  });
});

describe('of a URL', () => {
  const shown = (url: string, text: string) => {
    const made = createMasker();
    made.add(secretsOfUrl(url));
    return made.text(text);
  };

  it.each([
    ['https://u:pa%40ss-word@h/', 'pa@ss-word'],
    ['https://tok3n-of-account@h/', 'tok3n-of-account'],
    ['https://h/v2/AbCdEfGhIjKl', 'AbCdEfGhIjKl'],
    ['https://h/some-key-of-words/rpc', 'POST /some-key-of-words/rpc'],
    ['https://h/?apikey=abcdefgh', 'abcdefgh'],
    ['wss://h/ws?x=a1B2c3D4', 'a1B2c3D4'],
    ['postgresql://u:s3cret-one@h/db?sslpassword=other-one', 's3cret-one and other-one'],
    ['postgresql://u:half#of/it@h/db', 'half#of/it'],
  ])('%s no secret is shown', (url, text) => {
    expect(shown(url, text)).toMatch(/^(POST \/)?\*\*\*( and \*\*\*|\/rpc)?$/);
  });

  it('what is no secret is shown: host, version, routes, words', () => {
    const text = 'chain arbitrum-one at node.example.org, v2, rpc, mainnet, sslmode=require';
    expect(shown('https://node.example.org/v2/rpc/arbitrum-one?network=mainnet', text)).toBe(text);
    expect(shown('postgresql://u:pp@h/db?sslmode=require', text)).toBe(text);
  });
});

describe('a secret of this process', () => {
  const KEY = 'the-Key-of-this-test-42';
  secrets.add(anywhere(KEY));
  const cause = () => Object.assign(new Error(`GET /?k=${KEY} failed`), { config: { headers: { auth: KEY } } });

  it('is in no log line, however deep it lies', () => {
    const lines: string[] = [];
    const destination = new Writable({
      write(chunk, _encoding, done) {
        lines.push(String(chunk));
        done();
      },
    });
    const log = createLogger({ level: 'info', format: 'json', destination });
    const details = { deep: [{ deeper: `Basic ${base64(`user:${KEY}`)}` }] };
    log.child({ child: KEY }).warn({ err: new Error(KEY, { cause: cause() }), details }, `about ${KEY}`);
    log.error(cause());
    expect(lines).toHaveLength(2);
    for (const line of lines) {
      expect(line).not.toContain(KEY);
      expect(Buffer.from(line.replace(/[^A-Za-z0-9+/]/g, ''), 'base64').toString()).not.toContain(KEY);
      expect(JSON.parse(line)).toMatchObject({ level: /warn|error/ });
    }
    expect(JSON.parse(lines[0]!)).toMatchObject({ msg: 'about ***', child: '***' });
  });

  it('is in no error that is thrown, nor in what caused it', () => {
    const inner = cause();
    const error = new IndexerError('X', `cannot use ${KEY}`, false, {
      cause: new AggregateError([inner], KEY, { cause: inner }),
      details: { said: { text: KEY }, position: 5n },
    });
    expect(error.message).toBe('cannot use ***');
    expect(error.details).toEqual({ said: { text: '***' }, position: 5n });
    expect(`${error.stack}${(error.cause as Error).stack}${inner.message}${inner.stack}`).not.toContain(KEY);
  });
});

describe('a text from outside', () => {
  it('is one line without control characters, and no longer than it may be', () => {
    expect(outsideText('a\r\n\tb\u001b[31m\u0000c\u202Ed\u2028e')).toBe('a b [31m c d e');
    expect(outsideText('x'.repeat(1_000))).toHaveLength(200);
    expect(firstOutsideLine('\n \n first \nsecond')).toBe('first');
  });

  it('is masked before it is cut: half a secret would not be recognised', () => {
    secrets.add(anywhere('a-secret-at-the-edge'));
    expect(outsideText(`${'x'.repeat(190)} a-secret-at-the-edge`)).toBe(`${'x'.repeat(190)} ***`);
    expect(firstOutsideLine(`<p>${' '.repeat(4_083)}a-secret-at-the-edge`)).toBe('***');
  });
});
