import type { ComponentChildren } from 'preact';
import { hrefOf } from '../../address/route.js';
import { ExplorerLink, Hex } from '../../parts/hex.js';
import { Badge, type Tone } from '../../parts/status.js';
import { durationText, shortHex } from '../../parts/texts.js';
import { Time } from '../../parts/time.js';
import type { MessageDetail, Verification } from '../../server/answers.js';
import { missingText, type Step } from './timeline-steps.js';

/** The way of a message as a line in time, with the durations between its steps. */
export function Timeline({ message, steps }: { readonly message: MessageDetail; readonly steps: readonly Step[] }) {
  return (
    <ol class="timeline">
      {steps.map((step, index) => (
        <li key={index} class={`step step-${toneOf(step)}`}>
          <div class="step-head">
            <h3>{titleOf(step)}</h3>
            {step.atMs !== null && (
              <span class="step-time">
                {step.kind === 'final' && 'by '}
                <Time at={step.atMs} />
              </span>
            )}
          </div>
          <div class="step-more">{moreOf(step, message)}</div>
          <Since ms={steps[index + 1]?.sinceMs ?? null} />
        </li>
      ))}
    </ol>
  );
}

/** The time until the next step. */
function Since({ ms }: { readonly ms: number | null }) {
  if (ms === null) return null;
  return <span class="since">+ {ms === 0 ? '0 s' : durationText(ms)}</span>;
}

function toneOf({ kind, atMs, missing, execution, verification }: Step): Tone {
  if (execution) return execution.orphaned ? 'idle' : execution.state === 'success' ? 'good' : 'bad';
  if (verification)
    return verification.orphaned ? 'idle' : verification.verdict?.verdict === 'invalid' ? 'bad' : 'good';
  if (kind === 'missing') return missing === 'waiting' ? 'busy' : missing === 'orphaned' ? 'idle' : 'bad';
  return atMs === null ? 'busy' : 'good';
}

function titleOf({ kind, verification, execution, atMs }: Step): string {
  switch (kind) {
    case 'sent':
      return 'Sent';
    case 'indexed':
      return 'Indexed';
    case 'final':
      return atMs === null ? 'Not final yet, or not signed' : 'Final for its verifiers';
    case 'verified':
      return `Verified by ${verification?.verifierName || 'a verifier'}`;
    case 'missing':
      return 'Verification missing';
    case 'executed':
      if (!execution) return 'Not executed';
      return execution.state === 'success' ? 'Executed' : `Execution: ${execution.state}`;
  }
}

function moreOf(step: Step, message: MessageDetail): ComponentChildren {
  const { verification, execution } = step;
  if (verification) return <Verified verification={verification} chain={message.sourceChainSelector} />;
  if (execution)
    return <PlaceOf place={execution.place} chain={message.destChainSelector} isOrphaned={execution.orphaned} />;
  switch (step.kind) {
    case 'sent':
      return message.origin && <PlaceOf place={message.origin} chain={message.sourceChainSelector} />;
    case 'final':
      return finalityText(message);
    case 'missing':
      return (
        <>
          CCV <Hex value={step.ccv ?? ''} label="CCV" chain={message.sourceChainSelector} kind="address" />{' '}
          {missingText(step.missing ?? '')}
        </>
      );
    case 'executed':
      return 'No execution is known on the destination chain.';
    default:
      return message.origin ? null : 'Its log on the source chain was not read: an aggregator told of it.';
  }
}

/** The finality that the sender asks for. */
function finalityText({ finality: { kind, depth } }: MessageDetail): string {
  switch (kind) {
    case 'depth':
      return `asks for ${depth} blocks`;
    case 'safe':
      return 'asks for a safe block';
    default:
      return 'asks for a finalized block';
  }
}

function Verified({ verification, chain }: { readonly verification: Verification; readonly chain: string }) {
  return (
    <>
      CCV <Hex value={verification.verifierSourceAddress} label="CCV" chain={chain} kind="address" />{' '}
      <Verdict verdict={verification.verdict} /> {verification.orphaned && <Badge tone="idle" text="orphaned" />}{' '}
      <span>
        here <Time at={verification.ingestedAt} />
      </span>
    </>
  );
}

/** Whether the destination chain would take the signatures of a verification. */
export function Verdict({ verdict }: Pick<Verification, 'verdict'>) {
  if (verdict === null) return null;
  const tones: Readonly<Record<string, Tone>> = { valid: 'good', invalid: 'bad' };
  return (
    <Badge
      tone={tones[verdict.verdict] ?? 'idle'}
      text={`signatures ${verdict.verdict}`}
      title={`By the configuration of the destination chain at block ${verdict.configBlock}.`}
    />
  );
}

function PlaceOf(props: {
  readonly place: NonNullable<MessageDetail['origin']>;
  readonly chain: string;
  readonly isOrphaned?: boolean;
}) {
  const { blockNumber, transactionHash } = props.place;
  return (
    <>
      <span class="hex">
        block&nbsp;<code>{blockNumber}</code>
        <ExplorerLink chain={props.chain} kind="block" value={blockNumber} />
      </span>{' '}
      transaction{' '}
      <span class="hex">
        <a href={hrefOf('tx', transactionHash)} title={transactionHash}>
          <code>{shortHex(transactionHash)}</code>
        </a>
        <ExplorerLink chain={props.chain} kind="tx" value={transactionHash} />
      </span>{' '}
      {props.isOrphaned && <Badge tone="idle" text="orphaned" />}
    </>
  );
}
