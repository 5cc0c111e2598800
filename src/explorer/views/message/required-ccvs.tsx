import { Section } from '../../parts/facts.js';
import { Hex } from '../../parts/hex.js';
import { Badge, type Tone } from '../../parts/status.js';
import { durationText } from '../../parts/texts.js';
import { Time } from '../../parts/time.js';
import type { MessageDetail, Verification } from '../../server/answers.js';
import { Verdict } from './timeline.js';
import { missingText } from './timeline-steps.js';

const MISSING_TONES: Readonly<Record<string, Tone>> = { waiting: 'busy', orphaned: 'idle' };

/** Each CCV that must attest, with its verification or the reason why there is none; then those of others. */
export function RequiredCCVs({ message }: { readonly message: MessageDetail }) {
  const { requiredCCVs, otherVerifications, origin, sourceChainSelector: chain } = message;
  const sentMs = origin === null ? null : Date.parse(origin.blockTime);
  const here = requiredCCVs.filter(({ missing }) => missing === null).length;
  return (
    <Section
      title="Required CCVs"
      aside={<span class="aside">{`${here} of ${requiredCCVs.length} have attested`}</span>}
    >
      <ul class="ccvs">
        {requiredCCVs.map(({ address, verifications, missing }) => (
          <li key={address}>
            <Hex value={address} label="CCV" chain={chain} kind="address" />
            {missing !== null && (
              <span>
                <Badge tone={MISSING_TONES[missing] ?? 'bad'} text={missing} /> {missingText(missing)}
              </span>
            )}
            {verifications.map((each) => (
              <Result key={each.verifierDestAddress} verification={each} sentMs={sentMs} message={message} />
            ))}
          </li>
        ))}
        {otherVerifications.map((each) => (
          <li key={`${each.verifierSourceAddress} ${each.verifierDestAddress}`}>
            <Hex value={each.verifierSourceAddress} label="CCV" chain={chain} kind="address" />
            <Badge tone="idle" text="not required" />
            <Result verification={each} sentMs={sentMs} message={message} />
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Result(props: {
  readonly verification: Verification;
  readonly sentMs: number | null;
  readonly message: MessageDetail;
}) {
  const { verification, sentMs, message } = props;
  const { verifierName, verifierDestAddress, attestedAt, ccvData, verdict, orphaned } = verification;
  const afterMs = sentMs === null ? null : Date.parse(attestedAt) - sentMs;
  return (
    <div class="result">
      <span>
        {orphaned ? <Badge tone="idle" text="orphaned" /> : <Badge tone="good" text="attested" />}{' '}
        <Verdict verdict={verdict} />
      </span>
      <span>
        by {verifierName} at <Time at={attestedAt} />
        {afterMs !== null && afterMs >= 0 && `, ${durationText(afterMs)} after it was sent`}
      </span>
      <span>
        verifier at the destination{' '}
        <Hex value={verifierDestAddress} label="verifier" chain={message.destChainSelector} kind="address" />
      </span>
      <span>
        proof <Hex value={ccvData} label="proof" /> {(ccvData.length - 2) / 2} bytes
      </span>
    </div>
  );
}
