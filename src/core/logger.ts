import { type DestinationStream, type Logger, pino } from 'pino';
import { secrets } from './masker.js';

export type { Logger };

/** How a process logs. */
export interface LoggerOptions {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** `json` for machines, `pretty` for people, `auto` picks by whether the stream is a terminal. */
  readonly format: 'json' | 'pretty' | 'auto';
  /** Defaults to standard error, so that standard output stays for results. */
  readonly destination?: DestinationStream;
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
  if (options.destination) return pino({ ...BASE, level: options.level }, options.destination);
  const pretty = options.format === 'pretty' || (options.format === 'auto' && process.stderr.isTTY);
  if (!pretty) return pino({ ...BASE, level: options.level }, pino.destination({ dest: 2, sync: false }));
  return pino({
    ...BASE,
    level: options.level,
    // pino does not accept a level formatter together with a transport
    formatters: {},
    transport: {
      target: 'pino-pretty',
      options: { destination: 2, translateTime: "UTC:yyyy-mm-dd'T'HH:MM:ss.l'Z'", ignore: 'pid,hostname' },
    },
  });
}

/** A logger that drops everything: the default of library components. */
export const silentLogger: Logger = pino({ level: 'silent' });
