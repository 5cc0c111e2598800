import type { ColdMaintenance, MaintenanceProgress } from '../../../src/storage/cold/maintenance/cold-maintenance.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { compareInTurn, perSecond, type Row } from '../measure.js';
import { type Progress, startProgress } from '../progress.js';
import type { BenchOptions } from '../report.js';
import { allObjects, fillCold, openArchive, partOf } from '../workload/cold-namespace.js';
import { getAll, MB, PARALLEL, putAll } from '../workload/plain-objects.js';
import { deleteAll, type ObjectPlace } from './object-places.js';

/** Small files, as of a quiet namespace that flushes by time. */
const SMALL_FLUSH_BYTES = 1024 * 1024;

/** Merges all files of a namespace that can be merged, and deletes those that were replaced. */
export async function compactNamespace(store: ObjectStore, namespace: string, what: string): Promise<void> {
  await withMaintenance(store, namespace, async (maintenance) => {
    const steps = createStepProgress(what);
    try {
      await maintenance.compact({ full: true, onProgress: steps.update });
    } finally {
      steps.end();
    }
    await maintenance.vacuum({ graceMs: 0 });
  });
}

/** How fast small files are merged, against getting them and putting the same bytes back as plain objects. */
export async function measureCompaction(place: ObjectPlace, { quick }: BenchOptions): Promise<Row> {
  const { store } = place;
  const records = quick ? 8_000 : 40_000;
  let rounds = 0;
  let files: readonly string[] = [];
  let filesAfter = 0;
  const compared = await compareInTurn(quick ? 1 : 5, {
    async product() {
      rounds += 1;
      const namespace = `compaction-${rounds}`;
      const what = `cold, ${place.name}, to be compacted`;
      await fillCold(store, { namespace, what, records, payload: 'abi', flushBytes: SMALL_FLUSH_BYTES });
      const before = (await allObjects(store, `${namespace}/`)).filter(({ key }) => partOf(key) === 'data');
      const megabytes = before.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) / MB;
      const rate = await perSecond(megabytes, async () => {
        const report = await withMaintenance(store, namespace, (each) => each.compact({ full: true }));
        filesAfter = report.tables.reduce((sum, table) => sum + table.filesAfter, 0);
      });
      if (files.length > 0) await deleteAll(store, `compaction-${rounds - 1}/`);
      files = before.map(({ key }) => key);
      return rate;
    },
    async ceiling() {
      let bytes = 0;
      const rate = await perSecond(1, async () => {
        const objects = await getAll(store, files);
        bytes = objects.reduce((sum, { length }) => sum + length, 0);
        await putAll(store, 'plain', objects);
      });
      await deleteAll(store, 'plain/');
      return (rate * bytes) / MB;
    },
  });
  await deleteAll(store, '');
  return {
    what: `cold compaction, ${place.name}`,
    unit: 'MB/s',
    ...compared,
    aim: null,
    note:
      `${records} records in ${files.length} files become ${filesAfter}; MB of the files before; plain GETs and PUTs ` +
      `${PARALLEL} at a time`,
  };
}

async function withMaintenance<T>(
  store: ObjectStore,
  namespace: string,
  work: (maintenance: ColdMaintenance) => Promise<T>,
): Promise<T> {
  const archive = openArchive(store, namespace);
  try {
    return await work(archive.maintenance);
  } finally {
    await archive.close();
  }
}

/** A line for the step that is under way; none for one that does not know how long it is. */
function createStepProgress(what: string) {
  let step = '';
  let shown: Progress | null = null;
  const end = () => shown?.end();
  return {
    update(progress: MaintenanceProgress): void {
      if (progress.total === null) return;
      if (progress.step !== step) {
        end();
        step = progress.step;
        shown = startProgress(`${what}: ${step}, ${progress.unit}`, progress.total);
      }
      shown?.update(progress.done);
    },
    end,
  };
}
