import { createRequire } from 'node:module';
import { Writable } from 'node:stream';
import { type DestinationStream, type Logger, pino } from 'pino';
import { secrets } from './masker.js';

export type { Logger };

/** Options of a process's log. */
export interface LoggerOptions {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** `json` for machines, `pretty` for people, `auto` picks by whether the stream is a terminal. */
  readonly format: 'json' | 'pretty' | 'auto';
  /** Defaults to standard error, so that standard output stays for results. */
  readonly destination?: DestinationStream;
  /** Gives further fields for a line of these fields. */
  readonly mixin?: (line: object) => object;
}

const BASE = {
  base: null,
  formatters: { level: (label: string) => ({ level: label }) },
  timestamp: () => `,"time":"${new Date().toISOString()}"`,
  // the whole line, so that nothing gets past it: causes, details, stacks, facts of any depth
  hooks: { streamWrite: (line: string) => secrets.json(line) },
};

/** The root logger. Log objects with a constant message: `log.info({ chain, block }, 'range indexed')`. */
export function createLogger(options: LoggerOptions): Logger {
  const { mixin } = options;
  const settings = { ...BASE, level: options.level, ...(mixin && { mixin }) };
  if (options.destination) return pino(settings, options.destination);
  const isTerminal = process.stderr.isTTY === true;
  if (options.format === 'pretty' || (options.format === 'auto' && isTerminal))
    return pino(settings, prettyStream(isTerminal && process.env['NO_COLOR'] === undefined));
  const destination = pino.destination({ dest: 2, sync: false });
  // a terminal that went away, a full disk: the work goes on without its log
  destination.on('error', () => undefined);
  return pino(settings, destination);
}

function prettyStream(colorize: boolean): DestinationStream {
  // most processes log for machines, and start sooner without it
  const { PinoPretty } = createRequire(import.meta.url)('pino-pretty') as typeof import('pino-pretty');
  const destination = new Writable({
    write(chunk, _encoding, done) {
      process.stderr.write(chunk, () => done());
    },
  });
  const translateTime = "UTC:yyyy-mm-dd'T'HH:MM:ss.l'Z'";
  return PinoPretty({ destination, colorize, translateTime, ignore: 'pid,hostname' });
}

/** A logger that drops everything: the default of library components. */
export const silentLogger: Logger = pino({ level: 'silent' });
