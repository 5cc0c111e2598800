/** Starts a server, prints its pid and lives until it is killed: `tsx postgres-starter.ts <data directory>`. */

import { startEmbeddedPostgres } from '../../../scripts/devnet/postgres/embedded-postgres.js';
import { silentLogger } from '../../../src/core/logger.js';

const server = await startEmbeddedPostgres({ dataDir: process.argv[2] ?? '', fast: true, log: silentLogger });
console.log(server.pid);
