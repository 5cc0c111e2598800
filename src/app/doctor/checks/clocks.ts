import { request } from 'undici';
import type { S3Section } from '../../../config/schema/s3-schema.js';
import type { Common } from '../../../core/common.js';
import { createDispatcher } from '../../../core/network/http-agents.js';
import { ingestClock } from '../../../storage/postgres/diagnosis/ingest-clock.js';
import { allColdSections } from '../../cold-backends.js';
import { defineCheck } from '../check.js';
import { databaseSections, withDatabase } from '../databases.js';

/** Clocks that are set by NTP are closer by far. */
const MOST_SKEW_MS = 2_000;
/** Tokens and signatures are refused beyond some minutes, those of aggregators beyond 15 s. */
const BAD_SKEW_MS = 15_000;
/** A Date header has whole seconds. */
const DATE_MARGIN_MS = 1_000;

/** The clock of another machine. `marginMs`: half of the way there and back, and the part of a second that it hides. */
interface SeenClock {
  readonly skewMs: number;
  readonly marginMs: number;
}

/** This machine's clock against those of databases and object stores, and the commit clock against its server's. */
export const clockCheck = defineCheck({
  name: 'clocks',
  about: "this machine's clock against those of databases and object stores, and the commit clock against its server's",
  kinds: {
    'clock-skew': {
      severity: 'warning',
      meaning: 'The clock of another machine differs from that of this one, so one of the two is wrong.',
      next: 'set both clocks (NTP)',
    },
    'ingest-clock-ahead': {
      severity: 'warning',
      meaning: 'The last ingestion time is in the future: a process wrote with a clock that is ahead, and times wait.',
      next: 'set the clocks of the workers (NTP); times go right once the hour of the last commit has come',
    },
  },
  async run({ config, common, isFull, each, found, signal }) {
    const tell = (subject: string, { skewMs, marginMs }: SeenClock) => {
      if (Math.abs(skewMs) - marginMs <= MOST_SKEW_MS) return;
      const isBad = Math.abs(skewMs) - marginMs > BAD_SKEW_MS;
      found('clock-skew', subject, { skewMs, marginMs }, isBad ? { severity: 'error' } : {});
    };
    await each(
      databaseSections(config),
      ({ Name }) => Name,
      async (section) => {
        await withDatabase(section, { config, common, isFull }, async (diagnosis) => {
          const { skewMs, marginMs, result } = await seen(common, async () => {
            const clock = await ingestClock(diagnosis);
            return { theirMs: clock.serverMs, result: clock };
          });
          tell(section.Name, { skewMs, marginMs });
          const aheadMs = result.lastMs - result.serverMs;
          if (aheadMs > MOST_SKEW_MS) found('ingest-clock-ahead', section.Name, { lastMs: result.lastMs, aheadMs });
        });
      },
    );
    await each(
      allColdSections(config).filter(({ S3 }) => S3.Directory === undefined),
      ({ Name }) => Name,
      async ({ Name, S3 }) => {
        const clock = await seen(common, async () => ({ theirMs: await dateOf(S3, signal), result: null }));
        tell(Name, { ...clock, marginMs: clock.marginMs + DATE_MARGIN_MS });
      },
    );
  },
});

async function seen<T>(
  { clock }: Common,
  ask: () => Promise<{ readonly theirMs: number; readonly result: T }>,
): Promise<SeenClock & { readonly result: T }> {
  const beforeMs = clock.nowMs();
  const { theirMs, result } = await ask();
  const afterMs = clock.nowMs();
  const marginMs = Math.ceil((afterMs - beforeMs) / 2);
  return { skewMs: Math.round(theirMs - (beforeMs + afterMs) / 2), marginMs, result };
}

/** The time of an object store, of the answer that it gives to anyone. */
async function dateOf({ Endpoint, Region }: S3Section, signal: AbortSignal): Promise<number> {
  const url = Endpoint ?? `https://s3.${Region}.amazonaws.com`;
  const dispatcher = createDispatcher(url, { connections: 1 });
  try {
    const { headers, body } = await request(url, { method: 'HEAD', dispatcher, signal });
    await body.dump();
    const { date } = headers;
    const dateMs = typeof date === 'string' ? Date.parse(date) : Number.NaN;
    if (Number.isNaN(dateMs)) throw new TypeError(`${url} gives no Date`);
    return dateMs;
  } finally {
    await dispatcher.destroy();
  }
}
