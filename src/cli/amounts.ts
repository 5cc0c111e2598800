const UNITS = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Bytes for people: `999 B`, `1.5 KiB`, `128 MiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  let amount = bytes;
  let unit = '';
  for (const next of UNITS) {
    if (amount < 1_000) break;
    amount /= 1_024;
    unit = next;
  }
  return `${amount < 9.95 ? amount.toFixed(1) : amount.toFixed(0)} ${unit}`;
}

/** A number with its thousands apart. */
export function formatCount(count: number | bigint): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ' ');
}

/** A time in unix ms; `-` when there is none. */
export function formatMs(ms: number): string {
  return ms < 0 || !Number.isFinite(ms) ? '-' : new Date(ms).toISOString();
}

/** A duration for people: `850 ms`, `4.2 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatDuration(ms: number): string {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1_000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1_000);
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  return `${Math.floor(seconds / 3_600)} h ${Math.floor(seconds / 60) % 60} min`;
}
