/**
 * Ends with 0 when /health of this container's admin port answers 200. The port is that of the environment, as the program
 * takes it before its configuration, else the default.
 */
import { get } from 'node:http';

const port = process.env.CCV_INDEXER__Admin__ListenPort ?? '8101';
const request = get({ host: '127.0.0.1', port, path: '/health', timeout: 4_000 }, ({ statusCode }) => {
  if (statusCode !== 200) process.stderr.write(`/health answers ${statusCode}\n`);
  process.exit(statusCode === 200 ? 0 : 1);
});
request.on('timeout', () => request.destroy(new Error('no answer within 4 s')));
request.on('error', (error) => {
  process.stderr.write(`/health of port ${port}: ${error.message}\n`);
  process.exit(1);
});
