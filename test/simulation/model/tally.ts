import type { Registry } from '../../../src/core/metrics.js';

/** What all runs of a test file did together: a run in which some kind hardly happened shows little. */
export class Tally {
  runs = 0;
  readonly #counts = new Map<string, number>();

  count(kind: string, by = 1): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + by);
  }

  of(kind: string): number {
    return this.#counts.get(kind) ?? 0;
  }

  /** Those of `kinds` that happened less often than `least`. A replay of one failure is not held to it. */
  tooRare(kinds: readonly string[], least: number): string[] {
    if (process.env['MODEL_PLAN'] !== undefined || process.env['MODEL_RUNS'] !== undefined) return [];
    return kinds.filter((kind) => this.of(kind) < least).map((kind) => `${kind}: ${this.of(kind)} of ${least}`);
  }

  /** Adds what the Sinks of a registry say of where their answers came from. */
  async addShapes(registry: Registry): Promise<void> {
    for (const [metric, what] of [
      ['indexer_sink_queries_total', 'list from'],
      ['indexer_sink_lookups_total', 'lookup asked'],
    ] as const)
      for (const { labels, value } of (await registry.getSingleMetric(metric)?.get())?.values ?? [])
        this.count(`${what} ${labels.shape}`, value);
    for (const metric of ['indexer_sink_replans_total', 'indexer_postgres_recalls_total'])
      for (const { value } of (await registry.getSingleMetric(metric)?.get())?.values ?? [])
        this.count(metric.replace(/^indexer_|_total$/g, '').replaceAll('_', ' '), value);
  }

  /** Kinds and their counts, and what share of all lists came from where. */
  report(): string {
    const kinds = [...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1));
    const lists = kinds.filter(([kind]) => kind.startsWith('list from'));
    const total = lists.reduce((sum, [, n]) => sum + n, 0);
    return [
      `${this.runs} runs, ${this.of('answers compared')} answers compared`,
      ...lists.map(([kind, n]) => `  ${kind}: ${n} (${((100 * n) / total).toFixed(1)} %)`),
      `  ${kinds
        .filter(([kind]) => !kind.startsWith('list from'))
        .map(([kind, n]) => `${kind} ${n}`)
        .join(' · ')}`,
    ].join('\n');
  }
}
