import { countText, durationText } from '../../parts/texts.js';
import type { StatsAnswer } from '../../server/answers.js';
import { useAnswer, useReloadOnChange } from '../../server/use-answer.js';

const RELOAD_EVERY_MS = 3_000;

/** The whole index in a line of numbers. */
export function StatsStrip() {
  const { value, reload } = useAnswer<StatsAnswer>('v2/stats');
  useReloadOnChange(reload, RELOAD_EVERY_MS);
  if (value === null) return null;
  const { messages, executions, windows, gaps } = value;
  const hour = windows['1h'];
  return (
    <dl class="strip" aria-label="The whole index">
      <Tile name="Messages" value={countText(messages.total)} note={`${countText(hour.sent)} in the last hour`} />
      <Tile
        name="Not yet verified"
        value={countText(messages.processing)}
        note={`${countText(messages.timeout)} timed out`}
      />
      <Tile name="Executed" value={countText(executions.success)} note={`${countText(executions.failure)} failed`} />
      <Tile
        name="Sent to verified"
        value={durationOf(hour.sentToVerified.p50Ms)}
        note={`p95 ${durationOf(hour.sentToVerified.p95Ms)}`}
      />
      <Tile
        name="Sent to executed"
        value={durationOf(hour.sentToExecuted.p50Ms)}
        note={`p95 ${durationOf(hour.sentToExecuted.p95Ms)}`}
      />
      <Tile name="Gaps" value={countText(gaps)} note={`in ${countText(value.lanes)} lanes`} />
    </dl>
  );
}

const durationOf = (ms: number | null): string => (ms === null ? '–' : durationText(ms));

function Tile({ name, value, note }: { readonly name: string; readonly value: string; readonly note: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        <b>{value}</b> <span>{note}</span>
      </dd>
    </div>
  );
}
