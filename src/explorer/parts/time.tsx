import { useNow } from './clock.js';
import { ageText } from './texts.js';

const HOURS = { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' } as const;
const sameDay = new Intl.DateTimeFormat(undefined, HOURS);
const otherDay = new Intl.DateTimeFormat(undefined, {
  ...{ year: 'numeric', month: 'short', day: 'numeric' },
  ...HOURS,
});

/** A time in the reader's zone: of today without the date. Its title has it in UTC. */
export function Time({ at }: { readonly at: string | number }) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return <span>unknown</span>;
  const isToday = date.toDateString() === new Date().toDateString();
  return (
    <time dateTime={date.toISOString()} title={utcText(date)}>
      {(isToday ? sameDay : otherDay).format(date)}
    </time>
  );
}

/** How long ago a time was; its title has the time in UTC. */
export function Age({ at }: { readonly at: string | number }) {
  const now = useNow();
  const date = new Date(at);
  return (
    <time class="age" dateTime={date.toISOString()} title={utcText(date)}>
      {ageText(now - date.getTime())} <span class="wide-only">ago</span>
    </time>
  );
}

function utcText(date: Date): string {
  return `${date.toISOString().replace('T', ' ').replace('Z', '')} UTC`;
}
