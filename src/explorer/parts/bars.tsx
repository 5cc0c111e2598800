import type { ComponentChildren } from 'preact';
import { Time } from './time.js';

/** A stretch of time of one row. */
export interface Bar {
  readonly name: string;
  readonly fromMs: number;
  readonly throughMs: number;
  readonly kind: number | 'none';
  /** What it says, for those who do not see it. */
  readonly note: ComponentChildren;
}

/** Stretches of time, one a row, on a common axis. */
export function Bars({ bars, label }: { readonly bars: readonly Bar[]; readonly label: string }) {
  const fromMs = Math.min(...bars.map((bar) => bar.fromMs));
  const throughMs = Math.max(...bars.map((bar) => bar.throughMs));
  const part = (ms: number) => ((ms - fromMs) / Math.max(1, throughMs - fromMs)) * 100;
  return (
    <>
      <ul class="bars" aria-label={label}>
        {bars.map((bar, index) => (
          <li key={`${index} ${bar.name}`} class="bar">
            <b>{bar.name}</b>
            <div class="bar-track" aria-hidden="true">
              <div
                class={`bar-fill bar-fill-${bar.kind}`}
                style={{ left: `${part(bar.fromMs)}%`, right: `${100 - part(bar.throughMs)}%` }}
              />
            </div>
            <div class="bar-notes">{bar.note}</div>
          </li>
        ))}
      </ul>
      <div class="bar-ends">
        <Time at={fromMs} />
        <Time at={throughMs} />
      </div>
    </>
  );
}
