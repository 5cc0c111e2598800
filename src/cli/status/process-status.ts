import { z } from 'zod';
import type { Config } from '../../config/schema/schema.js';
import { IndexerError, toError } from '../../core/errors.js';

const unavailable = z.object({ unavailable: z.string() });
const failure = z.object({ code: z.string() }).nullable();

/** The parts of `/status` (`src/app/status-report.ts`) that are shown to people. */
const schema = z.object({
  version: z.string(),
  commit: z.string().nullable(),
  role: z.string(),
  startedAt: z.string(),
  now: z.string(),
  counts: z.object({
    messages: z.union([z.number(), unavailable]),
    verifierResults: z.union([z.number(), unavailable]),
  }),
  tiers: z.union([
    z.array(
      z.object({
        name: z.string(),
        role: z.string(),
        health: z.object({ healthy: z.boolean(), reason: z.string().nullable() }),
        state: z.string().nullable(),
        lag: z.object({ positions: z.string(), ms: z.number().nullable() }).nullable(),
      }),
    ),
    unavailable,
  ]),
  workers: z
    .union([
      z.object({
        members: z.array(z.object({ member: z.string(), since: z.string(), sources: z.array(z.string()) })),
        leases: z.array(
          z.object({ source: z.string(), owner: z.string().nullable(), epoch: z.number(), since: z.string() }),
        ),
      }),
      unavailable,
    ])
    .nullable(),
  sources: z
    .array(
      z.object({
        name: z.string(),
        state: z.string(),
        watcher: z.object({
          state: z.string(),
          head: z.number().nullable(),
          processed: z.number().nullable(),
          lagMs: z.number().nullable(),
          problem: z.string().nullable(),
          lastError: failure,
          rpc: z.array(z.object({ state: z.string() })),
        }),
      }),
    )
    .optional(),
  discoveries: z
    .array(
      z.object({
        aggregators: z.array(
          z.object({
            name: z.string(),
            state: z.string(),
            sequence: z.union([z.number(), z.string()]).nullable(),
            lastAnswerMs: z.number().nullable(),
            lastError: failure,
          }),
        ),
      }),
    )
    .optional(),
  scheduler: z
    .object({
      tasks: z.object({ ready: z.number(), running: z.number(), waiting: z.number() }),
      overflowed: z.boolean(),
      verifiers: z.array(
        z.object({
          name: z.string(),
          circuit: z.string(),
          lastSuccessMs: z.number().nullable(),
          lastError: z.string().nullable(),
        }),
      ),
    })
    .optional(),
});

/** What a running process says of itself. */
export type ProcessStatus = z.infer<typeof schema>;

/** A process waits some seconds for its own counts before it answers. */
const ANSWER_WITHIN_MS = 10_000;

/** Where the processes of a configuration have their admin port on this machine; null where the system chooses it. */
export function adminUrlOf({ Admin: { ListenAddress, ListenPort } }: Config): string | null {
  if (ListenPort === 0) return null;
  const here = { '0.0.0.0': '127.0.0.1', '::': '::1' }[ListenAddress] ?? ListenAddress;
  return `http://${here.includes(':') ? `[${here}]` : here}:${ListenPort}`;
}

/**
 * Asks a process for its `/status`.
 * @returns it as the process wrote it, and its parts for people.
 * @throws IndexerError PROCESS_UNREACHABLE where none answers, PROCESS_REFUSES where it wants another token,
 *   NOT_A_PROCESS where something else answers.
 */
export async function askProcess(
  adminUrl: string,
  token: string | undefined,
  signal: AbortSignal,
): Promise<{ readonly raw: unknown; readonly status: ProcessStatus }> {
  let raw: unknown;
  try {
    const response = await fetch(new URL('/status', adminUrl), {
      headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
      signal: AbortSignal.any([signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]),
    });
    if (response.status === 401)
      throw new IndexerError('PROCESS_REFUSES', `${adminUrl} wants another BearerToken of [Admin]`, false);
    raw = await response.json();
  } catch (cause) {
    if (cause instanceof IndexerError || signal.aborted) throw cause;
    if (cause instanceof SyntaxError) throw stranger(adminUrl, cause);
    // fetch tells why in the cause of its error
    const { message } = toError(toError(cause).cause ?? cause);
    throw new IndexerError('PROCESS_UNREACHABLE', `no process answers at ${adminUrl}: ${message}`, true, { cause });
  }
  const parsed = schema.safeParse(raw);
  if (!parsed.success) throw stranger(adminUrl, parsed.error);
  return { raw, status: parsed.data };
}

function stranger(adminUrl: string, cause: Error): IndexerError {
  return new IndexerError(
    'NOT_A_PROCESS',
    `${adminUrl} does not answer as the admin port of this version does`,
    false,
    { cause },
  );
}
