/** A duration in two units at most: `850 ms`, `4.1 s`, `3 min 20 s`, `2 h 5 min`, `12 d 4 h`. */
export function durationText(ms: number): string {
  if (ms < 0) return `−${durationText(-ms)}`;
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${ms < 9_950 ? (ms / 1_000).toFixed(1) : Math.round(ms / 1_000)} s`;
  const [unit, large, small] = UNITS.find(([unitMs]) => ms >= unitMs) ?? LAST_UNIT;
  const whole = Math.floor(ms / unit);
  const [partMs, part] = small;
  const rest = Math.floor((ms - whole * unit) / partMs);
  return rest === 0 ? `${whole} ${large}` : `${whole} ${large} ${rest} ${part}`;
}

/** The largest unit alone, for how long ago something was. */
export function ageText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

type Unit = readonly [ms: number, large: string, small: readonly [ms: number, name: string]];
const LAST_UNIT: Unit = [60_000, 'min', [1_000, 's']];
const UNITS: readonly Unit[] = [[86_400_000, 'd', [3_600_000, 'h']], [3_600_000, 'h', [60_000, 'min']], LAST_UNIT];

/** Digits in groups of three, for a count of any size. */
export function countText(count: number | string): string {
  return String(count).replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f');
}

/** Hex in short: its first and last digits. */
export function shortHex(hex: string): string {
  return hex.length <= 16 ? hex : `${hex.slice(0, 8)}…${hex.slice(-6)}`;
}

/** An address without the zeros that pad one of 20 bytes to 32. */
export function unpadded(address: string): string {
  return /^0x0{24}[0-9a-f]{40}$/.test(address) ? `0x${address.slice(26)}` : address;
}

/** Bytes as text where they are printable UTF-8; null: they are not. */
export function textIn(hex: string): string | null {
  const bytes = Uint8Array.from(hex.slice(2).match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return text !== '' && !/[^\P{C}\n\t]|\p{Co}/u.test(text) ? text : null;
  } catch {
    return null;
  }
}
