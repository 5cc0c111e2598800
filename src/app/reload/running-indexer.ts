import { Gauge } from 'prom-client';
import type { ChainSourceStatus } from '../../chains/watch/chain-status.js';
import type { Config } from '../../config/schema/schema.js';
import { toError } from '../../core/errors.js';
import type { Registry } from '../../core/metrics.js';
import { createShutdown, type Shutdown } from '../../core/shutdown.js';
import type { Indexer, IndexerStatus } from '../../indexer/indexer.js';
import type { OpenIndexerOptions } from '../open-indexer.js';

/** An indexer with everything that it opened. */
interface Opened {
  readonly indexer: Indexer<ChainSourceStatus>;
  readonly shutdown: Shutdown;
}

/** Creates the indexer of a configuration; nothing runs yet. */
type Open = (options: OpenIndexerOptions) => Promise<Indexer<ChainSourceStatus>>;

/**
 * The indexer of a process. Another configuration gives it other chains, verifiers and aggregators while storage and
 * servers go on: the indexer that runs hands its sources back, as at a shutdown, and the next one takes them.
 */
export class RunningIndexer {
  readonly #options: OpenIndexerOptions;
  readonly #open: Open;
  #current: Opened;
  #run: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | null = null;

  private constructor(options: OpenIndexerOptions, open: Open, current: Opened) {
    this.#options = options;
    this.#open = open;
    this.#current = current;
    options.shutdown.add('indexer', () => this.#current.shutdown.close());
  }

  /** @throws the errors of `open`. */
  static async open(options: OpenIndexerOptions, open: Open): Promise<RunningIndexer> {
    return new RunningIndexer(options, open, await openWith(options, open));
  }

  status(): IndexerStatus<ChainSourceStatus> {
    return this.#current.indexer.status();
  }

  /** Resolves at shutdown; rejects when the indexer in use broke. Called once. */
  run(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#run = { resolve, reject };
      this.#follow(this.#current);
    });
  }

  /**
   * Goes on with another configuration.
   * @throws the errors of `open`; the indexer that runs is left as it is.
   */
  async replace(config: Config): Promise<void> {
    const { shutdown, common } = this.#options;
    const next = await openWith({ ...this.#options, config }, this.#open);
    const old = this.#current;
    const names = namesOf(old.indexer.status());
    // each failure is logged, and the old parts are used no more
    await old.shutdown.close().catch(() => undefined);
    if (shutdown.signal.aborted) return await next.shutdown.close();
    this.#current = next;
    this.#follow(next);
    const kept = namesOf(next.indexer.status());
    await forgetGauges(common.metrics, new Set([...names].filter((name) => !kept.has(name))));
  }

  #follow({ indexer, shutdown }: Opened): void {
    const { log } = this.#options.common;
    const stop = AbortSignal.any([shutdown.signal, this.#options.shutdown.signal]);
    indexer.run(stop).then(
      () => this.#options.shutdown.signal.aborted && this.#run?.resolve(),
      (error: unknown) => {
        if (shutdown.signal.aborted) log.warn({ err: toError(error) }, 'the indexer failed while it was put aside');
        else this.#run?.reject(error);
      },
    );
  }
}

async function openWith(options: OpenIndexerOptions, open: Open): Promise<Opened> {
  const shutdown = createShutdown(options.common);
  try {
    return { shutdown, indexer: await open({ ...options, shutdown }) };
  } catch (thrown) {
    await shutdown.close().catch(() => undefined);
    throw thrown;
  }
}

/** Chains and verifiers as the labels `chain` and `verifier` name them. */
function namesOf({ chains, verifiers }: IndexerStatus<ChainSourceStatus>): ReadonlySet<string> {
  return new Set([...chains.map(({ name }) => `chain ${name}`), ...verifiers.map(({ name }) => `verifier ${name}`)]);
}

/** The last value of a gauge would be told for ever; counters that stand still tell the truth. */
async function forgetGauges(metrics: Registry, gone: ReadonlySet<string>): Promise<void> {
  for (const metric of metrics.getMetricsAsArray()) {
    const gauge = metrics.getSingleMetric(metric.name);
    if (!(gauge instanceof Gauge)) continue;
    for (const { labels } of (await gauge.get()).values)
      if (gone.has(`chain ${labels['chain']}`) || gone.has(`verifier ${labels['verifier']}`)) gauge.remove(labels);
  }
}
