import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** Work of the load process: the paths in turn, over that many connections. */
export interface LoadRequest {
  readonly url: string;
  readonly paths: readonly string[];
  readonly connections: number;
  readonly seconds: number;
}

/** Answered requests, whole and a second. */
export interface LoadResult {
  readonly answered: number;
  readonly perSecond: number;
}

/** Autocannon in a process of its own, as the server must not share a thread with its clients. */
export interface HttpLoad {
  /** @throws when any answer was not a 200. */
  run(request: LoadRequest): Promise<LoadResult>;
  close(): void;
}

export function startHttpLoad(): HttpLoad {
  const child = fork(fileURLToPath(new URL('./http-load-process.js', import.meta.url)));
  return {
    run(request) {
      return new Promise((resolve, reject) => {
        const onExit = (code: number | null) => reject(new Error(`the load process ended with ${code}`));
        child.once('exit', onExit);
        child.once('message', (result: LoadResult) => {
          child.off('exit', onExit);
          resolve(result);
        });
        child.send(request);
      });
    },
    close: () => child.disconnect(),
  };
}
