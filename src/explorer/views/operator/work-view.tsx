import { FactList, Section } from '../../parts/facts.js';
import { Hex } from '../../parts/hex.js';
import { Failure, Loading, Nothing } from '../../parts/notice.js';
import { Badge } from '../../parts/status.js';
import { countText } from '../../parts/texts.js';
import { Age } from '../../parts/time.js';
import { stateTone } from './sources-view.js';
import { errorText, type SchedulerStatus, useStatus, type WorkersStatus } from './status.js';

/** Queues, verifiers with their circuits, and workers with what each owns. */
export function WorkView() {
  const { value, error, reload } = useStatus();
  return (
    <>
      <h1 class="with-space">Work</h1>
      <Failure error={error} reload={reload} />
      {value === null && error === null && <Loading />}
      {value && !value.scheduler && <Nothing text="This process has no tasks: its role is api." />}
      {value?.scheduler && <Queues scheduler={value.scheduler} />}
      {value?.scheduler && <Verifiers verifiers={value.scheduler.verifiers} />}
      {value?.workers && !('unavailable' in value.workers) && <Workers workers={value.workers} />}
    </>
  );
}

function Queues({ scheduler: { tasks, overflowed, unknownCCVs } }: { readonly scheduler: SchedulerStatus }) {
  return (
    <Section
      title="Tasks"
      aside={
        <Badge tone={overflowed ? 'bad' : 'good'} text={overflowed ? 'more than fit in memory' : 'all in memory'} />
      }
    >
      <dl class="numbers">
        {Object.entries(tasks).map(([name, count]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{countText(count)}</dd>
          </div>
        ))}
        <div>
          <dt>without a verifier</dt>
          <dd>{countText(unknownCCVs.unverifiableMessages)}</dd>
        </div>
      </dl>
      {unknownCCVs.addresses.length > 0 && (
        <p>
          Unknown CCVs:{' '}
          {unknownCCVs.addresses.map((address) => (
            <Hex key={address} value={address} label="CCV" kind="address" />
          ))}
        </p>
      )}
    </Section>
  );
}

function Verifiers({ verifiers }: Pick<SchedulerStatus, 'verifiers'>) {
  return (
    <Section title="Verifiers">
      <table class="rows stacked">
        <caption class="unseen">Verifiers and their circuits</caption>
        <thead>
          <tr>
            <th scope="col">Verifier</th>
            <th scope="col">Circuit</th>
            <th scope="col" class="number">
              Failures in a row
            </th>
            <th scope="col" class="number">
              Last answer
            </th>
            <th scope="col">Last error</th>
          </tr>
        </thead>
        <tbody>
          {verifiers.map(({ name, circuit, failuresInARow, lastSuccessMs, lastError }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td data-name="circuit">
                <Badge tone={circuit === 'closed' ? 'good' : stateTone(circuit)} text={circuit} />
              </td>
              <td class="number" data-name="failures in a row">
                {countText(failuresInARow)}
              </td>
              <td class="number" data-name="last answer">
                {lastSuccessMs === null ? 'never' : <Age at={lastSuccessMs} />}
              </td>
              <td data-name="last error">{errorText(lastError) ?? 'none'}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Section>
  );
}

function Workers({ workers: { members, leases } }: { readonly workers: WorkersStatus }) {
  return (
    <Section title="Workers" aside={<span class="aside">{`${members.length} there`}</span>}>
      {members.map(({ member, since }) => (
        <div key={member}>
          <h3>
            <span class="whole">{member}</span>{' '}
            <span class="aside">
              since <Age at={since} />
            </span>
          </h3>
          <FactList
            facts={leases
              .filter(({ owner }) => owner === member)
              .map(({ source, epoch, since: ownedSince }) => [
                <span key={source} class="whole">
                  {source}
                </span>,
                <>
                  epoch {countText(epoch)}, owned for <Age at={ownedSince} />
                </>,
              ])}
          />
        </div>
      ))}
      {leases
        .filter(({ owner }) => owner === null)
        .map(({ source }) => (
          <p key={source} class="notice notice-bad">
            Nothing works on {source}.
          </p>
        ))}
    </Section>
  );
}
