import { type DestinationStream, type Logger, pino } from 'pino';

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
      options: { destination: 2, translateTime: 'SYS:HH:MM:ss.l', ignore: 'pid,hostname' },
    },
  });
}

/** A logger that drops everything: the default of library components. */
export const silentLogger: Logger = pino({ level: 'silent' });
