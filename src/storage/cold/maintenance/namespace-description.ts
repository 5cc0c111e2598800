import { addedFiles, dirtyTables, type Survey } from '../namespace/unnamed.js';
import type { NamespaceView } from '../namespace/view.js';
import { TABLE_NAMES, type TableName } from '../rows/table-name.js';
import type { ColdDescription, ColdTableDescription, VacuumReport } from './cold-maintenance.js';
import { isSettled, type PlanOptions, planCompaction } from './compaction-plan.js';

type Settings = Pick<PlanOptions, 'compactBytes' | 'nowMs'>;

/** The figures of a state of a namespace; `garbage`: the report of a vacuum without grace. */
export function describeNamespace(survey: Survey, garbage: VacuumReport, settings: Settings): ColdDescription {
  const { view } = survey;
  return {
    position: view.position,
    headPosition: view.headPosition,
    headMs: view.headMs,
    tornFiles: dirtyTables(survey).flatMap(addedFiles).length,
    tables: TABLE_NAMES.map((table) => describeTable(view, table, settings)),
    waitingForVacuum: {
      files: garbage.removedFiles + garbage.orphans,
      bytes: garbage.removedBytes + garbage.orphanBytes,
    },
  };
}

function describeTable(view: NamespaceView, table: TableName, settings: Settings): ColdTableDescription {
  const { files } = view.tables[table];
  const sum = (of: (file: (typeof files)[number]) => number) => files.reduce((total, file) => total + of(file), 0);
  const times = files.filter(({ maxMs }) => maxMs >= 0);
  const groups = planCompaction(view.tables[table], { ...settings, full: false, without: new Set() });
  const inputs = groups.flatMap((group) => group.files);
  return {
    table,
    version: view.snapshots[table]?.version ?? -1,
    files: files.length,
    bytes: sum(({ sizeBytes }) => sizeBytes),
    indexBytes: sum(({ index }) => index?.sizeBytes ?? 0),
    rows: sum(({ rows }) => rows),
    smallFiles: files.filter((file) => !isSettled(file, settings.compactBytes)).length,
    minMs: times.reduce((lowest, { minMs }) => (lowest < 0 ? minMs : Math.min(lowest, minMs)), -1),
    maxMs: times.reduce((highest, { maxMs }) => Math.max(highest, maxMs), -1),
    toCompact: { files: inputs.length, bytes: inputs.reduce((total, { sizeBytes }) => total + sizeBytes, 0) },
  };
}
