/** Starts an S3 server, prints its endpoint and lives until it is killed: `tsx s3-server-starter.ts`. */
import { startS3Server } from './server.js';

const server = await startS3Server();
console.log(server.endpoint);
process.stdin.resume();
