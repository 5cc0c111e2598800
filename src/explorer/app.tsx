import type { ComponentType } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { hrefOf, type Route, useRoute } from './address/route.js';
import { SearchBox } from './parts/search-box.js';
import { type LiveState, useLiveState } from './server/live.js';
import { type PageFacts, useFacts } from './server/page-facts.js';
import { LaneView } from './views/lanes/lane-view.js';
import { LanesView } from './views/lanes/lanes-view.js';
import { VerifiersView } from './views/lanes/verifiers-view.js';
import { MessageView } from './views/message/message-view.js';
import { MessagesView } from './views/messages/messages-view.js';
import { PlanView } from './views/operator/plan-view.js';
import { QuarantineView } from './views/operator/quarantine-view.js';
import { SourcesView } from './views/operator/sources-view.js';
import { StorageView } from './views/operator/storage-view.js';
import { WorkView } from './views/operator/work-view.js';
import { SearchView } from './views/search-view.js';
import { TransactionView } from './views/transaction-view.js';

/** A view gets its place; one with a place in the navigation has a name there. */
interface View {
  readonly title: string;
  readonly show: ComponentType<{ readonly route: Route }>;
  readonly inNavigation: 'all' | 'admin' | null;
}

const VIEWS: Readonly<Record<string, View>> = {
  messages: { title: 'Messages', show: MessagesView, inNavigation: 'all' },
  lanes: { title: 'Lanes', show: LanesView, inNavigation: 'all' },
  verifiers: { title: 'Verifiers', show: VerifiersView, inNavigation: 'all' },
  sources: { title: 'Sources', show: SourcesView, inNavigation: 'admin' },
  storage: { title: 'Storage', show: StorageView, inNavigation: 'admin' },
  plan: { title: 'Plan', show: PlanView, inNavigation: 'admin' },
  work: { title: 'Work', show: WorkView, inNavigation: 'admin' },
  quarantine: { title: 'Quarantine', show: QuarantineView, inNavigation: 'admin' },
  lane: { title: 'Lane', show: LaneView, inNavigation: null },
  message: { title: 'Message', show: MessageView, inNavigation: null },
  tx: { title: 'Transaction', show: TransactionView, inNavigation: null },
  search: { title: 'Search', show: SearchView, inNavigation: null },
};

const FIRST = 'messages';

export function App() {
  const route = useRoute();
  const facts = useFacts();
  const main = useRef<HTMLElement>(null);
  const name = route.view === '' ? FIRST : route.view;
  const view = Object.hasOwn(VIEWS, name) ? VIEWS[name] : undefined;
  const place = `${name}/${route.subject}`;
  const before = useRef(place);
  useEffect(() => {
    document.title = [route.subject.slice(0, 10), view?.title ?? 'Not found', titleOf(facts)]
      .filter(Boolean)
      .join(' · ');
    if (before.current === place) return;
    before.current = place;
    // a reader of the screen hears where it is, and the keyboard goes on from there
    main.current?.focus({ preventScroll: true });
    scrollTo(0, 0);
  }, [place, view, route.subject, facts]);
  return (
    <>
      <button type="button" class="skip" onClick={() => main.current?.focus()}>
        Skip to the content
      </button>
      <Header current={name} />
      <main ref={main} tabIndex={-1}>
        {view ? <view.show key={place} route={route} /> : <p class="nothing">There is no such place in this page.</p>}
      </main>
      <Footer />
    </>
  );
}

function titleOf({ isAdmin }: PageFacts): string {
  return isAdmin ? 'CCV indexer, admin' : 'CCV indexer';
}

function Header({ current }: { readonly current: string }) {
  const facts = useFacts();
  const places = Object.entries(VIEWS).filter(
    ([, { inNavigation }]) => inNavigation === 'all' || (inNavigation === 'admin' && facts.isAdmin),
  );
  return (
    <header class="top">
      <a class="brand" href={hrefOf(FIRST)}>
        <svg width="22" height="22" viewBox="0 0 32 32" aria-hidden="true">
          <rect width="32" height="32" rx="7" fill="var(--accent)" />
          <path d="M8 16.5l5.2 5L24 10.5" fill="none" stroke="var(--on-accent)" stroke-width="3.4" />
        </svg>
        <span>CCV indexer</span>
        {facts.isAdmin && <span class="brand-part">admin</span>}
      </a>
      <nav aria-label="Parts of the page">
        {places.map(([name, { title }]) => (
          <a key={name} href={hrefOf(name)} aria-current={name === current ? 'page' : undefined}>
            {title}
          </a>
        ))}
      </nav>
      <SearchBox />
      <LiveMark />
    </header>
  );
}

const LIVE_TEXTS: Readonly<Record<LiveState, readonly [text: string, title: string]>> = {
  live: ['Live', 'Changes are shown as they are committed.'],
  waiting: ['Connecting', 'The connection to the feed is being made.'],
  off: ['Not live', 'The feed cannot be read now. It is tried again; what is shown may be old.'],
};

function LiveMark() {
  const state = useLiveState();
  const [text, title] = LIVE_TEXTS[state];
  return (
    <span class={`live live-${state}`} role="status" title={title}>
      {text}
    </span>
  );
}

function Footer() {
  const { version, namespace, namespaces, isAdmin } = useFacts();
  return (
    <footer class="bottom">
      <span>
        ccv-indexer {version}, namespace <b>{namespace}</b>
      </span>
      {namespaces.length > 1 && (
        <nav aria-label="Namespaces">
          {namespaces.map((name) => (
            <a key={name} href={`/ns/${name}/`} aria-current={name === namespace ? 'page' : undefined}>
              {name}
            </a>
          ))}
        </nav>
      )}
      {isAdmin ? <a href="metrics">Metrics</a> : <a href="openapi.json">API</a>}
    </footer>
  );
}
