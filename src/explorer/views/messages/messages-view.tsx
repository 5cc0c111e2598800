import { useMemo } from 'preact/hooks';
import { hrefOf, type Route, withValue } from '../../address/route.js';
import { Failure, Loading, Nothing } from '../../parts/notice.js';
import type { MessagePage } from '../../server/answers.js';
import { useAnswer, useReloadOnChange } from '../../server/use-answer.js';
import { Filters } from './filters.js';
import { MessageTable } from './message-table.js';
import { StatsStrip } from './stats-strip.js';

const PAGE_SIZE = '50';
const RELOAD_EVERY_MS = 1_000;

/** The list of messages. All of its state is in the address, which is the API's own query. */
export function MessagesView({ route: { query } }: { readonly route: Route }) {
  const cursor = query.get('cursor') ?? '';
  const path = `v2/messages?${new URLSearchParams([...query, ['limit', PAGE_SIZE]])}`;
  const { value, error, isLoading, reload } = useAnswer<MessagePage>(path);
  // a page behind a cursor stays as it is
  useReloadOnChange(() => cursor === '' && reload(), RELOAD_EVERY_MS);
  const openedMs = useMemo(() => Date.now(), []);
  return (
    <>
      <h1 class={query.size === 0 ? 'unseen' : ''}>{query.size === 0 ? 'Messages' : 'Messages, filtered'}</h1>
      <StatsStrip />
      <Filters query={query} />
      <Failure error={error} reload={reload} />
      {value === null && error === null && <Loading />}
      {value && (
        <div aria-busy={isLoading}>
          {value.messages.length === 0 ? (
            <Nothing text={emptyText(value, query)} />
          ) : (
            <MessageTable messages={value.messages} freshFromMs={openedMs} caption="Messages" />
          )}
          <Pages query={query} cursor={cursor} next={value.nextCursor} />
        </div>
      )}
    </>
  );
}

function emptyText({ nextCursor }: MessagePage, query: URLSearchParams): string {
  if (nextCursor !== null) return 'None in this part of the list; the next page looks further.';
  return query.size === 0 ? 'No message has been indexed yet.' : 'No message is like this.';
}

/** Where the page before a cursor began, for as long as this tab is open. */
const trail = {
  keep: (cursor: string, before: string) => sessionStorage.setItem(`before ${cursor}`, before),
  before: (cursor: string) => sessionStorage.getItem(`before ${cursor}`),
};

function Pages(props: { readonly query: URLSearchParams; readonly cursor: string; readonly next: string | null }) {
  const { query, cursor, next } = props;
  const isNewestFirst = query.get('order') !== 'oldest';
  const at = (place: string) => hrefOf('messages', '', withValue(query, 'cursor', place));
  const before = cursor === '' ? null : trail.before(cursor);
  if (next !== null) trail.keep(next, cursor);
  if (cursor === '' && next === null) return null;
  const [onward, back] = isNewestFirst ? ['Older', 'Newer'] : ['Newer', 'Older'];
  return (
    <nav class="pages" aria-label="Pages of the list">
      {cursor !== '' && <a href={at('')}>{isNewestFirst ? 'Newest' : 'Oldest'}</a>}
      {before !== null && <a href={at(before)}>{back}</a>}
      {next !== null && (
        <a href={at(next)} class="onward">
          {onward}
        </a>
      )}
    </nav>
  );
}
