import { Section } from '../../parts/facts.js';
import { Failure, Loading, Nothing } from '../../parts/notice.js';
import { Badge, type Tone } from '../../parts/status.js';
import { countText, durationText } from '../../parts/texts.js';
import { Age } from '../../parts/time.js';
import { type ChainStatus, type DiscoveryStatus, errorText, useStatus } from './status.js';

const GOOD: ReadonlySet<string> = new Set(['running', 'following', 'ready', 'reading', 'current', 'owned', 'watched']);
const BAD: ReadonlySet<string> = new Set(['halted', 'failed', 'disputed', 'down', 'open']);

/** The tone of a state of anything that works on. */
export function stateTone(state: string): Tone {
  if (GOOD.has(state)) return 'good';
  return BAD.has(state) ? 'bad' : 'busy';
}

/** Chains and aggregators: how far each is read, and its nodes. */
export function SourcesView() {
  const { value, error, reload } = useStatus();
  return (
    <>
      <h1 class="with-space">Sources</h1>
      <Failure error={error} reload={reload} />
      {value === null && error === null && <Loading />}
      {value && !value.sources && <Nothing text="This process reads no sources: its role is api." />}
      {value?.sources?.map((chain) => (
        <ChainPart key={chain.name} chain={chain} />
      ))}
      {value?.discoveries && value.discoveries.length > 0 && <Discoveries discoveries={value.discoveries} />}
    </>
  );
}

function ChainPart({ chain: { name, state, restarts, lastError, watcher } }: { readonly chain: ChainStatus }) {
  const problem = watcher?.problem ?? errorText(lastError);
  return (
    <Section
      title={`Chain ${name}`}
      aside={<Badge tone={stateTone(watcher?.state ?? state)} text={watcher?.state ?? state} />}
    >
      {problem !== null && <p class="notice notice-bad">{problem}</p>}
      {watcher && (
        <>
          <dl class="numbers">
            <Amount name="Head" value={watcher.head} />
            <Amount name="Final" value={watcher.finalized} />
            <Amount name="Read" value={watcher.processed} />
            <Amount name="Blocks behind" value={watcher.lagBlocks} />
            <div>
              <dt>Lag</dt>
              <dd>{watcher.lagMs === null ? '–' : durationText(watcher.lagMs)}</dd>
            </div>
            <Amount name="Messages" value={watcher.messages} />
            <Amount name="Executions" value={watcher.executions} />
            <Amount name="Reorgs" value={watcher.reorgs} />
            <Amount name="Quarantined" value={watcher.quarantined} />
            <Amount name="Restarts" value={restarts} />
          </dl>
          <ul class="lines" aria-label={`Nodes of chain ${name}`}>
            {watcher.rpc.map(({ url, state: nodeState, head, lastError: nodeError }) => (
              <li key={url}>
                <Badge tone={stateTone(nodeState)} text={nodeState} /> node {url}, head{' '}
                {head === null ? 'unknown' : countText(head)} <span class="aside">{errorText(nodeError)}</span>
              </li>
            ))}
          </ul>
        </>
      )}
    </Section>
  );
}

function Amount({ name, value }: { readonly name: string; readonly value: number | null }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value === null ? '–' : countText(value)}</dd>
    </div>
  );
}

function Discoveries({ discoveries }: { readonly discoveries: readonly DiscoveryStatus[] }) {
  return (
    <Section title="Aggregators">
      <table class="rows stacked">
        <caption class="unseen">Aggregators that are read in the order of their sequences</caption>
        <thead>
          <tr>
            <th scope="col">Aggregator</th>
            <th scope="col">State</th>
            {['Sequence', 'Gaps', 'Messages', 'Late', 'Last answer'].map((name) => (
              <th key={name} scope="col" class="number">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {discoveries.flatMap(({ name: group, aggregators }) =>
            aggregators.map(({ name, state, sequence, gaps, counts, lastAnswerMs, lastError }) => (
              <tr key={`${group} ${name}`}>
                <th scope="row">{name}</th>
                <td data-name="state">
                  <Badge tone={stateTone(state)} text={state} /> <span class="aside">{errorText(lastError)}</span>
                </td>
                <td class="number" data-name="sequence">
                  {countText(sequence)}
                </td>
                <td class="number" data-name="gaps">
                  {countText(gaps)}
                </td>
                <td class="number" data-name="messages">
                  {countText(counts['messages'] ?? 0)}
                </td>
                <td class="number" data-name="late">
                  {countText(counts['late'] ?? 0)}
                </td>
                <td class="number" data-name="last answer">
                  {lastAnswerMs === null ? 'never' : <Age at={lastAnswerMs} />}
                </td>
              </tr>
            )),
          )}
        </tbody>
      </table>
    </Section>
  );
}
