import pg from 'pg';
import type { Common } from '../../../core/common.js';
import { gauge } from '../../../core/metrics.js';
import type { PoolSettings, PostgresAddress } from './pool-settings.js';
import { RowClient } from './row-stream.js';
import { clientConfig, limitsOf, openSession, type SessionWords } from './session.js';
import type { Sockets } from './sockets.js';

/** A connection beyond `maxIdleConnections` is closed when it was not needed for this long. */
const SURPLUS_IDLE_MS = 10_000;
/** How long a further connection may take to be set up where there are others. */
const OTHERS_MS = 2_000;
/** How long none is tried where no more are to be had. */
const NO_MORE_MS = 60_000;
const NO_MORE = 'no more connections to the database are to be had: going on with those that are open';

/** A connection, checked out of the pool. */
export interface Session extends SessionWords {
  readonly client: pg.PoolClient;
  /** The first connection of the pool is 1, and so on. */
  readonly number: number;
}

/**
 * Connections that send queries without waiting for the answers of those before. A good one is kept: making one takes
 * the time of some ten lookups. It never crashes the process.
 */
export interface SessionPool {
  acquire(): Promise<Session>;
  /** @param good false: it is closed. */
  release(session: Session, good: boolean): void;
  /** Connections made so far. */
  made(): number;
  /** Waits for the sessions that are checked out, then closes all. */
  end(): Promise<void>;
}

/**
 * @param mark names the namespace in the last query of a session, for operators.
 * @param sockets close the pool through them.
 */
export function createPool({
  address,
  settings,
  common,
  name,
  mark,
  sockets,
}: {
  readonly address: PostgresAddress;
  readonly settings: PoolSettings;
  readonly common: Common;
  readonly name: string;
  readonly mark: string;
  readonly sockets: Sockets;
}): SessionPool {
  const { clock, log } = common;
  const limits = limitsOf(address, settings);
  const sessions = new WeakMap<pg.ClientBase, { readonly number: number; readonly words: SessionWords }>();
  const open = new Set<pg.ClientBase>();
  let made = 0;
  let restoreMax: (() => void) | null = null;
  const config = {
    ...clientConfig(address, { ...settings, ...limits }),
    pipeline: true,
    stream: sockets.make,
    max: settings.maxOpenConnections,
    idleTimeoutMillis: settings.connMaxIdleTimeMs,
    maxLifetimeSeconds: Math.ceil(settings.connMaxLifetimeMs / 1000),
    onConnect: async (client: pg.ClientBase) => {
      // between checkout and release the pool does not listen, and an error without a listener ends the process
      client.on('error', (error) => log.debug({ err: error, storage: name }, 'database connection lost'));
      // a pooler lets us in and then keeps us waiting for a session
      const answerMs =
        open.size > 0 ? Math.min(OTHERS_MS, settings.connectTimeoutMs || OTHERS_MS) : settings.connectTimeoutMs;
      const words = await openSession(client, limits, mark, answerMs);
      made += 1;
      sessions.set(client, { number: made, words });
      open.add(client);
      client.once('end', () => open.delete(client));
      // one that was under way when another was refused
      pool.options.max = Math.max(pool.options.max, open.size);
    },
  };
  const pool = new pg.Pool({ ...config, Client: RowClient });
  pool.on('error', (error) => log.debug({ err: error, storage: name }, 'idle database connection lost'));
  watchPool(pool, common, name);
  const trim = createTrimmer(pool, settings.maxIdleConnections, clock);

  /** When no more can be had (a limit of the server, the account or a pooler), those there are must do for a while. */
  async function connect(): Promise<pg.PoolClient> {
    const most = pool.options.max;
    try {
      return await pool.connect();
    } catch (thrown) {
      // where all are open none was refused: it waited for one in vain
      if (open.size === 0 || open.size >= most) throw thrown;
      if (restoreMax === null) log.warn({ err: thrown, storage: name, open: open.size }, NO_MORE);
      restoreMax?.();
      pool.options.max = open.size;
      restoreMax = clock.after(NO_MORE_MS, () => {
        pool.options.max = settings.maxOpenConnections;
        restoreMax = null;
      });
      return await pool.connect();
    }
  }

  return {
    async acquire() {
      const client = await connect();
      const session = sessions.get(client);
      if (!session) throw new TypeError('a connection was not set up');
      return { client, number: session.number, ...session.words };
    },
    release({ client }, good) {
      client.release(!good);
      trim.look();
    },
    made: () => made,
    end() {
      trim.stop();
      restoreMax?.();
      return pool.end();
    },
  };
}

/**
 * Closes the connections idle beyond `maxIdle` that were not needed for a while.
 *
 * enough → (more are idle) watching → those that were idle all the time are closed → enough | watching
 */
function createTrimmer(pool: pg.Pool, maxIdle: number, clock: Common['clock']) {
  let leastIdle = 0;
  let cancel: (() => void) | null = null;
  let stopped = false;
  pool.on('acquire', () => {
    leastIdle = Math.min(leastIdle, pool.idleCount);
  });

  async function close(surplus: number): Promise<void> {
    for (let left = surplus; left > 0 && pool.idleCount > maxIdle; left -= 1) (await pool.connect()).release(true);
  }

  function look(): void {
    if (stopped || cancel !== null || pool.idleCount <= maxIdle) return;
    leastIdle = pool.idleCount;
    cancel = clock.after(SURPLUS_IDLE_MS, () => {
      cancel = null;
      close(leastIdle - maxIdle).then(look, () => 'the pool is ending, or full again');
    });
  }

  return {
    look,
    stop() {
      stopped = true;
      cancel?.();
    },
  };
}

function watchPool(pool: pg.Pool, { metrics }: Common, storage: string): void {
  const connections = gauge(metrics, {
    name: 'indexer_postgres_connections',
    help: 'Connections of the pool by what they do; waiting: callers without one',
    labelNames: ['storage', 'state'],
  });
  const update = () => {
    connections.set({ storage, state: 'idle' }, pool.idleCount);
    connections.set({ storage, state: 'busy' }, pool.totalCount - pool.idleCount);
    connections.set({ storage, state: 'waiting' }, pool.waitingCount);
  };
  for (const event of ['acquire', 'release', 'remove'] as const) pool.on(event, update);
}
