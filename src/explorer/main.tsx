import { render } from 'preact';
import { App } from './app.js';
import { Failure } from './parts/notice.js';
import { type AnswerError, ask } from './server/ask.js';
import { createLiveFeed, LiveProvider } from './server/live.js';
import { FactsProvider, type PageFacts } from './server/page-facts.js';

try {
  const facts = await ask<PageFacts>('page.json');
  const feed = createLiveFeed('v2/feed');
  render(
    <FactsProvider value={facts}>
      <LiveProvider value={feed}>
        <App />
      </LiveProvider>
    </FactsProvider>,
    document.body,
  );
} catch (thrown) {
  render(
    <main>
      <h1>CCV indexer</h1>
      <Failure error={thrown as AnswerError} reload={() => location.reload()} />
    </main>,
    document.body,
  );
}
