import type { Config } from '../../../config/schema/schema.js';
import type { Hex } from '../../../core/hex.js';
import { canonicalAddress } from '../../../verifiers/address.js';
import type { HeldRecord } from '../held-records.js';
import type { InspectedSource } from './asked.js';

/** One CCV that a message names. */
export interface CCVVerdict {
  readonly address: Hex;
  /** The configured verifiers that answer for it. */
  readonly verifiers: readonly string[];
  readonly isStored: boolean;
  /** Why its result is not stored; null: it is. */
  readonly why: string | null;
}

/** Says of each CCV whether its result is stored, and why not. */
export function judgeCCVs(
  addresses: readonly Hex[],
  records: readonly HeldRecord[],
  sources: readonly InspectedSource[],
  { Verifier }: Config,
): readonly CCVVerdict[] {
  const stored = new Set(
    records.flatMap(({ kind, record }) =>
      kind === 'verifierResult' ? [canonicalAddress(record.verifierSourceAddress)] : [],
    ),
  );
  return addresses.map((address) => {
    const ccv = canonicalAddress(address);
    const verifiers = Verifier.filter(({ IssuerAddresses }) =>
      IssuerAddresses.some((of) => canonicalAddress(of) === ccv),
    );
    const names = verifiers.map(({ Name }) => Name);
    const isStored = stored.has(ccv);
    return { address, verifiers: names, isStored, why: isStored ? null : whyMissing(ccv, names, sources) };
  });
}

function whyMissing(ccv: Hex, verifiers: readonly string[], sources: readonly InspectedSource[]): string {
  const reasons = sources.flatMap((source) => {
    const isAsked = source.kind === 'aggregator' || verifiers.includes(source.name);
    const reason = isAsked ? reasonOf(ccv, source) : null;
    return reason === null ? [] : [`${source.kind} ${source.name} ${reason}`];
  });
  const none = verifiers.length === 0 ? ['no [[Verifier]] answers for it'] : [];
  return [...none, ...reasons].join('; ');
}

function reasonOf(ccv: Hex, { kind, answer }: InspectedSource): string | null {
  if ('unavailable' in answer) return `cannot be asked: ${answer.unavailable}`;
  const { value } = answer;
  switch (value.state) {
    case 'unknown':
      return kind === 'verifier' ? 'does not know the message yet' : null;
    case 'rejected':
      return `gives a result that fails the check ${value.reason}: ${value.detail}`;
    case 'announced':
      return null;
    case 'result':
      return canonicalAddress(value.verifierSourceAddress) === ccv
        ? 'has it now, and no worker has stored it yet'
        : null;
  }
}
