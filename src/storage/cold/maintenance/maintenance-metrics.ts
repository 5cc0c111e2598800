import type { Common } from '../../../core/common.js';
import { counter, gauge, histogram } from '../../../core/metrics.js';
import type { CompactionReport, VacuumReport } from './cold-maintenance.js';

/** The metrics of maintenance. */
export interface MaintenanceMetrics {
  compacted(report: CompactionReport, startedMs: number): void;
  vacuumed(report: VacuumReport): void;
  /** An automatic run failed and will be tried again. */
  failed(task: 'compact' | 'vacuum', code: string): void;
}

export function createMaintenanceMetrics({ metrics, clock }: Common, storage: string): MaintenanceMetrics {
  const compactions = counter(metrics, {
    name: 'indexer_cold_compactions_total',
    help: 'Compactions of the cold tier that ended, with or without anything to do',
    labelNames: ['storage'],
  });
  const durations = histogram(metrics, {
    name: 'indexer_cold_compaction_duration_seconds',
    help: 'Time a compaction of all tables took',
    labelNames: ['storage'],
    buckets: [0.1, 1, 10, 60, 300, 1800],
  });
  const bytes = counter(metrics, {
    name: 'indexer_cold_compacted_bytes_total',
    help: 'Bytes of data files that compactions replaced',
    labelNames: ['storage', 'table'],
  });
  const dropped = counter(metrics, {
    name: 'indexer_cold_compacted_dropped_rows_total',
    help: 'Rows of the ledger that compactions left out: later ones stand for them',
    labelNames: ['storage', 'table'],
  });
  const files = gauge(metrics, {
    name: 'indexer_cold_files',
    help: 'Data files of the cold tier after the last compaction',
    labelNames: ['storage', 'table'],
  });
  const vacuumed = counter(metrics, {
    name: 'indexer_cold_vacuumed_files_total',
    help: 'Objects that vacuums deleted, removed by the log or orphans of a crash',
    labelNames: ['storage', 'kind'],
  });
  const vacuumedBytes = counter(metrics, {
    name: 'indexer_cold_vacuumed_bytes_total',
    help: 'Bytes of objects that vacuums deleted',
    labelNames: ['storage', 'kind'],
  });
  const failures = counter(metrics, {
    name: 'indexer_cold_maintenance_failures_total',
    help: 'Automatic compactions and vacuums that failed and will be tried again, by error code',
    labelNames: ['storage', 'task', 'code'],
  });
  return {
    compacted({ tables }, startedMs) {
      compactions.inc({ storage });
      durations.observe({ storage }, (clock.monotonicMs() - startedMs) / 1000);
      for (const { table, bytesRewritten, rowsDropped, filesAfter } of tables) {
        bytes.inc({ storage, table }, bytesRewritten);
        dropped.inc({ storage, table }, rowsDropped);
        files.set({ storage, table }, filesAfter);
      }
    },
    vacuumed(report) {
      if (report.dryRun) return;
      vacuumed.inc({ storage, kind: 'removed' }, report.removedFiles);
      vacuumed.inc({ storage, kind: 'orphan' }, report.orphans);
      vacuumed.inc({ storage, kind: 'log' }, report.logEntries);
      vacuumedBytes.inc({ storage, kind: 'removed' }, report.removedBytes);
      vacuumedBytes.inc({ storage, kind: 'orphan' }, report.orphanBytes);
    },
    failed: (task, code) => failures.inc({ storage, task, code }),
  };
}
