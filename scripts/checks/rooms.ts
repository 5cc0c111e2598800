/**
 * The rooms of `src`, each with the rooms that its files may import besides their own. A name is a folder or a file; a
 * file belongs to the longest name that holds it. `x/**` names a room with all its inner rooms.
 */
export type Rooms = Readonly<Record<string, readonly string[]>>;

/** An import against the directions that stands until the work that removes it has landed. */
export interface KnownException {
  readonly from: string;
  readonly to: string;
  readonly reason: string;
}

const ground = ['core', 'protocol', 'model'];
const chains = ['core', 'protocol', 'model', 'chains'];
const config = ['core', 'protocol', 'model', 'config'];
const postgres = [...ground, 'storage'];
const cold = [...ground, 'storage'];
const sink = [...ground, 'storage', 'sink'];
const sinkRooms = [...sink, 'sink/follow', 'sink/read/read-floor.ts', 'sink/backend.ts'];
const api = [...ground, 'storage', 'lanes', 'api'];
/**
 * Each room of the cold tier and the rooms below it. `parquet` and `delta` hold values and files: a record is nothing
 * to them.
 */
const coldRows = ['object-store', 'parquet', 'delta', 'id-index', 'rows'].map((room) => `storage/cold/${room}`);
const coldReads = [...coldRows, 'storage/cold/namespace', 'storage/cold/read'];

export const ROOMS: Rooms = {
  core: [],
  protocol: ['core'],
  model: ['core', 'protocol'],

  config: ground,
  'config/schema': config,
  'config/checks': [...config, 'config/schema'],
  'config/go-indexer': [...config, 'config/schema'],
  'config/load.ts': [...config, 'config/schema', 'config/checks', 'config/go-indexer'],

  chains: ground,
  'chains/rpc': chains,
  'chains/logs': [...chains, 'chains/rpc'],
  'chains/committees': [...chains, 'chains/rpc'],
  'chains/watch': [...chains, 'chains/rpc', 'chains/logs'],
  'chains/calls': [...chains, 'chains/rpc'],
  'chains/chain-source.ts': [...chains, 'chains/**'],

  verifiers: ground,
  /** Discovery calls aggregators as well. */
  'verifiers/aggregator/client': [...ground, 'verifiers'],
  'verifiers/aggregator': [...ground, 'verifiers', 'verifiers/aggregator/client'],
  'verifiers/create-verifier-reader.ts': [...ground, 'verifiers', 'verifiers/aggregator'],

  discovery: [...ground, 'verifiers'],

  storage: ground,
  'storage/memory': [...ground, 'storage'],

  'storage/postgres/connection': postgres,
  'storage/postgres/migrate': [...postgres, 'storage/postgres/connection'],
  'storage/postgres/rows': [...postgres, 'storage/postgres/connection'],
  'storage/postgres/clock': [...postgres, 'storage/postgres/connection', 'storage/postgres/rows'],
  'storage/postgres/counts': postgres,
  'storage/postgres/lease': [
    ...postgres,
    'storage/postgres/connection',
    'storage/postgres/rows',
    'storage/postgres/clock',
  ],
  'storage/postgres/move': [
    ...postgres,
    'storage/postgres/connection',
    'storage/postgres/rows',
    'storage/postgres/clock',
    'storage/postgres/write',
  ],
  'storage/postgres/replay': [
    ...postgres,
    'storage/postgres/connection',
    'storage/postgres/rows',
    'storage/postgres/clock',
  ],
  'storage/postgres/lanes': [...postgres, 'storage/postgres/connection', 'storage/postgres/rows'],
  'storage/postgres/read': [
    ...postgres,
    'storage/postgres/connection',
    'storage/postgres/rows',
    'storage/postgres/clock',
    'storage/postgres/counts',
  ],
  'storage/postgres/write': [
    ...postgres,
    'storage/postgres/connection',
    'storage/postgres/rows',
    'storage/postgres/clock',
    'storage/postgres/counts',
  ],
  'storage/postgres/prune': [
    ...postgres,
    'storage/postgres/connection',
    'storage/postgres/rows',
    'storage/postgres/clock',
    'storage/postgres/counts',
    'storage/postgres/write',
  ],
  'storage/postgres/diagnosis': [
    ...postgres,
    'storage/postgres/connection',
    'storage/postgres/rows',
    'storage/postgres/clock',
  ],
  'storage/postgres/namespaces': [...postgres, 'storage/postgres/connection', 'storage/postgres/migrate'],
  'storage/postgres': [...postgres, 'storage/postgres/**'],

  'storage/cold/object-store': ['core'],
  'storage/cold/parquet': ['core', 'protocol', 'storage/cold/object-store'],
  'storage/cold/delta': ['core', 'protocol', 'storage/cold/object-store', 'storage/cold/parquet'],
  'storage/cold/id-index': ['core', 'storage/cold/object-store', 'storage/cold/parquet'],
  'storage/cold/rows': [...cold, ...coldRows],
  'storage/cold/namespace': [...cold, ...coldRows],
  'storage/cold/read': [...cold, ...coldReads],
  'storage/cold/write': [...cold, ...coldReads],
  'storage/cold/maintenance': [...cold, ...coldReads],
  'storage/cold': [...cold, 'storage/cold/**'],

  sink: [...ground, 'storage'],
  'sink/follow': sink,
  /** It stands below the backends of which the readers choose. */
  'sink/read/read-floor.ts': [...ground, 'storage'],
  'sink/backend.ts': [...sink, 'sink/follow', 'sink/read/read-floor.ts'],
  'sink/read': sinkRooms,
  'sink/prune': sinkRooms,
  'sink/restore': sinkRooms,
  'sink/sink-coverage.ts': sinkRooms,
  'sink/sink-writer.ts': sinkRooms,
  'sink/close-backends.ts': sinkRooms,
  'sink/sink-status.ts': [...sinkRooms, 'sink/read'],
  'sink/sink.ts': [...sink, 'sink/**'],
  'sink/replaceable-sink.ts': [...sink, 'sink/sink.ts'],

  lanes: [...ground, 'verifiers', 'storage'],
  indexer: [...ground, 'chains/**', 'verifiers', 'discovery', 'storage', 'sink', 'lanes'],
  migration: [...ground, 'storage', 'sink/**'],
  'migration/go-indexer': [
    ...ground,
    ...['verifiers', 'discovery', 'storage', 'storage/postgres/connection', 'migration'],
  ],

  api: [...ground, 'storage', 'lanes'],
  'api/http': api,
  'api/routes': [...api, 'api/http'],
  'api/v1': [...api, 'api/http', 'api/routes'],
  'api/v2': [...api, 'api/http', 'api/routes'],
  'api/v2/feed': [...api, 'api/http', 'api/routes', 'api/v2'],
  'api/v2/lanes': [...api, 'api/http', 'api/routes', 'api/v2'],
  'api/page': [...api, 'api/http'],
  'api/server': [...api, ...['http', 'routes', 'v1', 'v2', 'v2/feed', 'v2/lanes', 'page'].map((room) => `api/${room}`)],
  'api/admin': [...api, ...['http', 'routes', 'v2', 'v2/feed', 'page', 'server'].map((room) => `api/${room}`)],

  'explorer/address': [],
  /** The page knows the server by its answers: their types, and nothing that runs. */
  'explorer/server': ['api/v2'],
  'explorer/parts': ['explorer/address', 'explorer/server'],
  'explorer/views': ['explorer/address', 'explorer/server', 'explorer/parts'],
  explorer: ['explorer/**'],

  app: [
    ...ground,
    'config/**',
    'chains/**',
    'verifiers/**',
    'discovery',
    'storage/**',
    'sink/**',
    'lanes',
    'indexer',
    'migration/**',
    'api/**',
  ],
  cli: [
    ...ground,
    'config/**',
    'chains/**',
    'verifiers/**',
    'storage/**',
    'sink/**',
    'indexer',
    'migration/**',
    'api/**',
    'app',
  ],

  /** For browsers as well: nothing of a server. */
  client: ['core'],

  /** The library's public face. */
  'index.ts': [...ground, 'chains/**', 'verifiers/**', 'storage/**', 'sink/**'],
};

export const KNOWN_EXCEPTIONS: readonly KnownException[] = [];
