import pg from 'pg';
import { type Backoff, backoffMs } from '../../../core/backoff.js';
import type { Common } from '../../../core/common.js';
import { counter } from '../../../core/metrics.js';
import type { Namespace } from '../connection/namespace.js';
import type { PoolSettings, PostgresAddress } from '../connection/pool-settings.js';
import { clientConfig, limitsOf, openSession, RAW_TYPES } from '../connection/session.js';
import { createSockets } from '../connection/sockets.js';
import { failureCode } from '../connection/sql-errors.js';
import { statementsOf } from '../connection/statement.js';
import type { AdvanceHub } from './advance-hub.js';
import { CLOCK, CLOCK_COLUMNS, decodeClock } from './clock-row.js';

const RECONNECT: Backoff = { baseMs: 200, maxMs: 5_000 };
/** How often the clock is read although nothing was announced: finds connections that died without a word. */
const CHECK_MS = 10_000;
/** How often it is read where nothing can be listened to. */
const POLL_MS = 250;
/** The answer of a standby to LISTEN. */
const READ_ONLY = '25006';

/** Hears of the commits of other instances. */
export interface AdvanceListenerLoop {
  /** Begins to listen; further calls do nothing. */
  start(): void;
  close(): Promise<void>;
}

/**
 * One connection of its own. connecting → listening (reads the clock, so that commits missed meanwhile are told), or
 * polling where a pooler gives the session to others, or the server is a standby → lost → connecting, until closed.
 */
export function createAdvanceListener({
  common,
  name,
  namespace,
  mark,
  address,
  settings,
  writer,
  hub,
}: {
  readonly common: Common;
  readonly name: string;
  readonly namespace: Namespace;
  /** Names the namespace in the last query of a session, for operators. */
  readonly mark: string;
  readonly address: PostgresAddress;
  readonly settings: PoolSettings;
  /** The number of our own writer: its commits are told by the writer itself. */
  readonly writer: bigint;
  readonly hub: AdvanceHub;
}): AdvanceListenerLoop {
  const { clock, log, random } = common;
  const stop = new AbortController();
  const reconnects = counter(common.metrics, {
    name: 'indexer_postgres_listener_reconnects_total',
    help: 'Times the connection that hears of the commits of others was made anew',
    labelNames: ['storage'],
  });
  const readClock = statementsOf(namespace)('listener_clock', `SELECT ${CLOCK_COLUMNS} FROM ${CLOCK}`);
  let loop: Promise<void> | null = null;
  let told: string | null = null;

  async function run(): Promise<void> {
    for (let failures = 0; !stop.signal.aborted; failures += 1) {
      try {
        await listen(() => {
          failures = 0;
        });
      } catch (error) {
        if (stop.signal.aborted) return;
        reconnects.inc({ storage: name });
        log.debug({ err: error, storage: name }, 'no longer listening for commits, connecting again');
      }
      await pause(backoffMs(RECONNECT, failures, random));
    }
  }

  /** Throws when the connection is gone. */
  async function listen(onListening: () => void): Promise<void> {
    const sockets = createSockets(clock);
    const client = new pg.Client({
      ...clientConfig(address, settings),
      stream: sockets.make,
    });
    const gone = new AbortController();
    const leave = () => gone.abort();
    // it stays on after the first error: one without a listener would end the process
    client.on('error', (error) => {
      log.debug({ err: error, storage: name }, 'listening connection lost');
      leave();
    });
    client.once('end', leave);
    let calledOff: () => void = () => undefined;
    // also out of a query that gets no answer, or a connect, which `end` would keep from ever settling
    const stopNow = () => {
      leave();
      calledOff = sockets.closeSoon();
    };
    stop.signal.addEventListener('abort', stopNow);
    client.on('notification', ({ payload = '' }) => {
      const [from, position] = payload.split(' ');
      if (from !== String(writer) && position) hub.advanced(BigInt(position));
    });
    try {
      await client.connect();
      const isListening = await announceTo(client);
      onListening();
      for (;;) {
        await check(client, isListening);
        await clock.sleep(isListening ? CHECK_MS : POLL_MS, gone.signal);
      }
    } finally {
      stop.signal.removeEventListener('abort', stopNow);
      await sockets.close(() => client.end());
      calledOff();
    }
  }

  /** @returns false where commits cannot be announced to this connection. */
  async function announceTo(client: pg.Client): Promise<boolean> {
    const { pooled } = await openSession(client, limitsOf(address, settings), mark, settings.connectTimeoutMs);
    let reason = 'a pooler stands between';
    if (!pooled)
      try {
        await client.query(`LISTEN "${namespace.channel}"`);
        return true;
      } catch (thrown) {
        if (failureCode(thrown) !== READ_ONLY) throw thrown;
        reason = 'the server is a standby';
      }
    if (reason !== told)
      log.warn(
        { storage: name, reason, everyMs: POLL_MS },
        'commits of others are not announced here: looking for them',
      );
    told = reason;
    return false;
  }

  async function check(client: pg.Client, isListening: boolean): Promise<void> {
    const result = await client.query<(string | null)[]>({
      // a prepared statement stays with a session that may not be ours the next time
      ...{ ...(isListening ? readClock : { text: readClock.text }), types: RAW_TYPES },
      rowMode: 'array',
    });
    const row = decodeClock(result.rows[0] ?? []);
    hub.seen(row);
    hub.advanced(row.lastPosition);
  }

  async function pause(durationMs: number): Promise<void> {
    await clock.sleep(durationMs, stop.signal).catch(() => 'stopping');
  }

  return {
    start() {
      loop ??= run();
    },
    async close() {
      stop.abort();
      await loop;
    },
  };
}
