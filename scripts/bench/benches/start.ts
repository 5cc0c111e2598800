import { cpus } from 'node:os';
import { type CpuCost, measureCost } from '../cost.js';
import { openLab, openPostgres } from '../lab.js';
import type { Row } from '../measure.js';
import type { Bench } from '../report.js';
import { fill } from '../workload/fill.js';
import { type Loaded, loadInProcess } from '../workload/loaded.js';
import { PAYLOAD_BYTES } from '../workload/records.js';

const RECORDS = 500_000;
/** Seconds until all of them are in memory. */
const AIM_SECONDS = 5;
const RSS_RECORDS = 50_000;
const MB = 1_000_000;

/** A process that starts over a full database: until memory holds everything, and the resident set with it. */
export const start: Bench = async ({ quick }) => {
  const lab = await openLab();
  try {
    const load = async (records: number) =>
      await lab.inNamespace(async (namespace) => {
        const storage = openPostgres(lab, namespace);
        const apply = storage.apply.bind(storage);
        await fill({ what: 'start', records, payload: 'random', seed: 12, apply });
        await storage.close();
        await lab.client.query('VACUUM (ANALYZE)');
        let loaded: Loaded | null = null;
        const { postgresUs } = await measureCost('start', lab.serverPid, async () => {
          loaded = await loadInProcess({ connection: lab.connection, namespace, records }, 4096);
          return records;
        });
        if (loaded === null) throw new Error('the process told nothing');
        return { loaded: loaded as Loaded, postgresUs, records };
      });
    const resident = await load(quick ? 5_000 : RSS_RECORDS);
    const full = await load(quick ? 20_000 : RECORDS);
    const cost = ({ loaded, records, postgresUs }: typeof full): CpuCost => ({
      nodeUs: loaded.cpuUs / records,
      postgresUs,
    });
    return {
      rows: [startRow(full.loaded, full.records), residentRow(resident.loaded, resident.records)],
      costs: [
        {
          ...{ what: `start, ${full.records} records into memory`, ...cost(full), aim: null },
          note: `a record of ${PAYLOAD_BYTES} bytes, read by position; ${cpus().length} cores are shared with the server`,
        },
      ],
    };
  } finally {
    await lab.close();
  }
};

function startRow({ warmMs, startedMs, answered, slowestMs }: Loaded, records: number): Row {
  const ceiling = (AIM_SECONDS * records) / RECORDS;
  const product = warmMs / 1_000;
  const ratio = product / ceiling;
  return {
    ...{ what: `start, ${records} records into memory`, unit: 's', product, ceiling, ratio, spread: [ratio, ratio] },
    aim: { kind: 'atMost', ratio: 1 },
    note:
      `the ceiling is the aim, ${AIM_SECONDS} s for ${RECORDS}; Postgres answered after ${startedMs.toFixed(0)} ms, ` +
      `${answered} counts meanwhile, the slowest in ${slowestMs.toFixed(0)} ms`,
  };
}

function residentRow({ before, after, loadedRss, code }: Loaded, records: number): Row {
  const mb = (bytes: number) => (bytes / MB).toFixed(0);
  const ceiling = (records * PAYLOAD_BYTES + before.rss) / MB;
  const ratio = loadedRss / MB / ceiling;
  const rest = after.rss - after.heapTotal - after.external;
  return {
    ...{ what: `resident set, ${records} records`, unit: 'MB', product: loadedRss / MB, ceiling, ratio },
    ...{ spread: [ratio, ratio], aim: { kind: 'atMost', ratio: 2 } },
    note:
      `the ceiling: ${mb(before.rss)} before the first record, and the payload; after garbage was collected ` +
      `${mb(after.rss)}: heap in use ${mb(after.heapUsed)} of ${mb(after.heapTotal)}, of it code ${mb(code)}; ` +
      `bytes beside the heap ${mb(after.external)}; program, stacks and allocator ${mb(rest)}`,
  };
}
