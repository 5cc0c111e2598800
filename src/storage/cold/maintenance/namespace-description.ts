import { addedFiles, dirtyTables, type Survey } from '../namespace/unnamed.js';
import type { NamespaceView } from '../namespace/view.js';
import { TABLE_NAMES, type TableName } from '../rows/table-name.js';
import type { ColdDescription, ColdTableDescription, VacuumReport } from './cold-maintenance.js';
import { isSettled, planCompaction } from './compaction-plan.js';

/** The figures of a state of a namespace; `garbage`: the report of a vacuum without grace. */
export function describeNamespace(survey: Survey, garbage: VacuumReport, compactBytes: number): ColdDescription {
  const { view } = survey;
  return {
    position: view.position,
    headPosition: view.headPosition,
    headMs: view.headMs,
    tornFiles: dirtyTables(survey).flatMap(addedFiles).length,
    tables: TABLE_NAMES.map((table) => describeTable(view, table, compactBytes)),
    waitingForVacuum: {
      files: garbage.removedFiles + garbage.orphans,
      bytes: garbage.removedBytes + garbage.orphanBytes,
    },
  };
}

function describeTable(view: NamespaceView, table: TableName, compactBytes: number): ColdTableDescription {
  const { files } = view.tables[table];
  const sum = (of: (file: (typeof files)[number]) => number) => files.reduce((total, file) => total + of(file), 0);
  const times = files.filter(({ maxMs }) => maxMs >= 0);
  const groups = planCompaction(view.tables[table], { compactBytes, full: false, without: new Set() });
  const inputs = groups.flatMap(({ base, overlays }) => [...base, ...overlays]);
  return {
    table,
    version: view.snapshots[table]?.version ?? -1,
    files: files.length,
    bytes: sum(({ sizeBytes }) => sizeBytes),
    indexBytes: sum(({ index }) => index?.sizeBytes ?? 0),
    rows: sum(({ rows }) => rows),
    overlayFiles: sum(({ overlay }) => (overlay ? 1 : 0)),
    overlayRows: sum(({ overlay, rows }) => (overlay ? rows : 0)),
    smallFiles: files.filter((file) => !isSettled(file, compactBytes)).length,
    minMs: times.reduce((lowest, { minMs }) => (lowest < 0 ? minMs : Math.min(lowest, minMs)), -1),
    maxMs: times.reduce((highest, { maxMs }) => Math.max(highest, maxMs), -1),
    toCompact: { files: inputs.length, bytes: inputs.reduce((total, { sizeBytes }) => total + sizeBytes, 0) },
  };
}
