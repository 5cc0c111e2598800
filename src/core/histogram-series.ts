import { Histogram, type HistogramConfiguration, type Registry } from 'prom-client';

/** Takes a value of one combination of labels. */
export type Observe = (value: number) => void;

/** A histogram for values that come with every request: the place of its labels is found once. */
export interface SeriesHistogram<L extends string> extends Histogram<L> {
  /** For a combination of labels, which is in the answers of a scrape once it has a value. */
  series(labels: Readonly<Record<L, string>>): Observe;
}

interface Series {
  readonly labels: Readonly<Record<string, string>>;
  /** Values up to each bound, and above the one before. */
  readonly counts: number[];
  count: number;
  sum: number;
}

/**
 * The library's own histogram makes a text of the labels, and three texts of a bound, for every value: as much time as
 * a lookup in memory takes.
 */
class HistogramOfSeries<L extends string> extends Histogram<L> implements SeriesHistogram<L> {
  readonly #bounds: readonly number[];
  readonly #name: string;
  readonly #all = new Map<string, Series>();

  constructor(config: HistogramConfiguration<L> & { readonly buckets: number[] }) {
    super(config);
    this.#name = config.name;
    this.#bounds = config.buckets;
  }

  series(labels: Readonly<Record<L, string>>): Observe {
    const key = JSON.stringify(Object.entries(labels).sort());
    const made: Series = { labels, counts: this.#bounds.map(() => 0), count: 0, sum: 0 };
    const series = this.#all.get(key) ?? made;
    this.#all.set(key, series);
    const bounds = this.#bounds;
    return (value) => {
      series.count += 1;
      series.sum += value;
      for (let at = 0; at < bounds.length; at += 1)
        if (value <= (bounds[at] as number)) {
          series.counts[at] = (series.counts[at] as number) + 1;
          return;
        }
    };
  }

  /** The library makes the text of a scrape from this, and `get`. */
  async getForPromString(): Promise<Exported> {
    const others = await EXPORT.getForPromString.call(this);
    return {
      ...others,
      values: [...others.values, ...[...this.#all.values()].flatMap((each) => this.#valuesOf(each))],
    };
  }

  #valuesOf({ labels: sharedLabels, counts, count, sum }: Series): ExportedValue[] {
    if (count === 0) return [];
    let upTo = 0;
    const exported = (suffix: string, labels: object, value: number) => ({
      ...{ labels, sharedLabels, value, metricName: `${this.#name}_${suffix}` },
    });
    const buckets = counts.map((each, at) => {
      upTo += each;
      return exported('bucket', { le: this.#bounds[at] }, upTo);
    });
    const ends = [exported('bucket', { le: '+Inf' }, count), exported('sum', {}, sum), exported('count', {}, count)];
    return [...buckets, ...ends];
  }
}

/** A value as the library exports it; `sharedLabels` come to its own. */
interface ExportedValue {
  readonly labels: object;
  readonly sharedLabels: object;
  readonly value: number;
  readonly metricName: string;
}

interface Exported {
  readonly values: readonly ExportedValue[];
}

/** Part of every histogram of the library, and not of its types. */
const EXPORT = Histogram.prototype as unknown as { getForPromString(): Promise<Exported> };

/** The histogram of that name in `registry`, created on first use. Durations are in seconds, as Prometheus expects. */
export function seriesHistogram<L extends string>(
  registry: Registry,
  config: Omit<HistogramConfiguration<L>, 'registers'> & { readonly buckets: number[] },
): SeriesHistogram<L> {
  const existing = registry.getSingleMetric(config.name);
  if (existing instanceof HistogramOfSeries) return existing as SeriesHistogram<L>;
  return new HistogramOfSeries({ ...config, registers: [registry] });
}
