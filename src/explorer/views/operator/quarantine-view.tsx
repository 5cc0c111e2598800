import { hrefOf, type Route, withValue } from '../../address/route.js';
import { Section } from '../../parts/facts.js';
import { Hex } from '../../parts/hex.js';
import { Failure, Loading, Nothing } from '../../parts/notice.js';
import { Badge } from '../../parts/status.js';
import { countText } from '../../parts/texts.js';
import { pathOf } from '../../server/ask.js';
import { useAnswer } from '../../server/use-answer.js';

interface QuarantineAnswer {
  readonly quarantine: readonly {
    readonly sourceId: string;
    readonly key: string;
    readonly reason: string;
    readonly detail: string;
    readonly messageId: string | null;
    readonly position: number | string;
    readonly rawBytes: number;
  }[];
}

interface ConflictsAnswer {
  readonly conflicts: readonly {
    readonly record: string;
    readonly messageId: string;
    readonly position: number | string;
    readonly [field: string]: unknown;
  }[];
}

const PAGE = 50;

/** Input that failed a check, and records that came again with other bytes. */
export function QuarantineView({ route: { query } }: { readonly route: Route }) {
  const quarantine = useAnswer<QuarantineAnswer>(
    pathOf('quarantine', { after: query.get('after') ?? '', limit: String(PAGE) }),
  );
  const conflicts = useAnswer<ConflictsAnswer>(
    pathOf('conflicts', { after: query.get('conflictsAfter') ?? '', limit: String(PAGE) }),
  );
  const onward = (name: string, entries: readonly { readonly position: number | string }[] | undefined) => {
    const last = entries?.at(-1);
    if (!entries || !last || entries.length < PAGE) return null;
    return (
      <nav class="pages" aria-label="Next page">
        <a class="onward" href={hrefOf('quarantine', '', withValue(query, name, String(last.position)))}>
          Later
        </a>
      </nav>
    );
  };
  return (
    <>
      <h1 class="with-space">Quarantine and conflicts</h1>
      <Section title="Quarantine" aside={<span class="aside">input that failed a check</span>}>
        <Failure error={quarantine.error} reload={quarantine.reload} />
        {quarantine.value === null && quarantine.error === null && <Loading />}
        {quarantine.value?.quarantine.length === 0 && <Nothing text="Nothing is in quarantine." />}
        <ul class="lines">
          {quarantine.value?.quarantine.map(({ sourceId, key, reason, detail, messageId, position, rawBytes }) => (
            <li key={position}>
              <Badge tone="bad" text={reason} /> <span class="whole">{detail}</span>
              <div class="aside whole">
                {sourceId}, {key}, position {countText(position)}, {countText(rawBytes)} bytes{' '}
                {messageId !== null && <Hex value={messageId} label="message id" href={hrefOf('message', messageId)} />}
              </div>
            </li>
          ))}
        </ul>
        {onward('after', quarantine.value?.quarantine)}
      </Section>
      <Section title="Conflicts" aside={<span class="aside">records that came again with other bytes</span>}>
        <Failure error={conflicts.error} reload={conflicts.reload} />
        {conflicts.value === null && conflicts.error === null && <Loading />}
        {conflicts.value?.conflicts.length === 0 && <Nothing text="There is no conflict." />}
        <ul class="lines">
          {conflicts.value?.conflicts.map(({ record, messageId, position, ...others }) => (
            <li key={position}>
              <Badge tone="bad" text={record} />{' '}
              <Hex value={messageId} label="message id" href={hrefOf('message', messageId)} />
              <div class="aside whole">
                position {countText(position)}{' '}
                {Object.entries(others)
                  .map(([name, value]) => `${name} ${String(value)}`)
                  .join(', ')}
              </div>
            </li>
          ))}
        </ul>
        {onward('conflictsAfter', conflicts.value?.conflicts)}
      </Section>
    </>
  );
}
