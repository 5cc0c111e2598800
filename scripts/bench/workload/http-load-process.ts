import autocannon from 'autocannon';
import type { LoadRequest } from './http-load.js';

process.on('message', async ({ url, paths, connections, seconds }: LoadRequest) => {
  const requests = paths.map((path) => ({ method: 'GET' as const, path }));
  const result = await autocannon({ url, connections, duration: seconds, requests });
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${result.non2xx} refused, ${result.errors} failed: ${url}${paths[0]}`);
  const answered = result.requests.total;
  process.send?.({ answered, perSecond: answered / result.duration });
});
