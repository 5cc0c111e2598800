import type { HeldRecord } from '../../app/doctor/held-records.js';
import type { Asked, InspectedSource } from '../../app/doctor/inspect/asked.js';
import type { NodeAnswer } from '../../app/doctor/inspect/chain-look.js';
import type { InspectedTier, Inspection } from '../../app/doctor/inspect/inspection.js';
import { verifierResultPayloadHash } from '../../model/payload.js';
import type { MessageBody, MessageOrigin } from '../../model/records.js';
import { decodeMessage } from '../../protocol/message-codec.js';
import { formatMs } from '../amounts.js';

/** The lines that `inspect` prints. */
export function describeInspection(inspection: Inspection): string[] {
  const { messageId, body, tiers, differences, ccvs } = inspection;
  return [
    `message ${messageId}`,
    ...(body ? describeMessage(body) : ['  no tier and no source knows it']),
    'tiers',
    ...tiers.flatMap(describeTier),
    ...(differences.length === 0 ? [] : differences.map((what) => `  DIFFERS: ${what}`)),
    ...(ccvs.length === 0 ? [] : ['CCVs']),
    ...ccvs.map(({ address, verifiers, isStored, why }) => {
      const by = verifiers.length === 0 ? '' : ` (${verifiers.join(', ')})`;
      return `  ${address}${by}: ${isStored ? 'stored' : `MISSING: ${why}`}`;
    }),
    ...describeChain(inspection),
    ...describeExecutions(inspection),
    ...(inspection.sources.length === 0 ? [] : ['sources now']),
    ...inspection.sources.map((source) => describeSource(source, inspection)),
    ...describeRemarks(inspection),
  ];
}

function describeMessage({ encodedMessage, messageExecutorAddress }: MessageBody): string[] {
  const message = decodeMessage(encodedMessage);
  const { tokenTransfer: token } = message;
  return [
    `  lane ${message.sourceChainSelector} → ${message.destChainSelector}, number ${message.messageNumber}`,
    `  sender ${message.sender}, OnRamp ${message.onRampAddress}`,
    `  receiver ${message.receiver}, OffRamp ${message.offRampAddress}`,
    `  executor ${messageExecutorAddress}, gas ${message.executionGasLimit} and ${message.ccipReceiveGasLimit}, ` +
      `finality ${message.finality}`,
    `  data ${sizeOf(message.data)} bytes${token ? `, ${token.amount} of token ${token.sourceTokenAddress}` : ''}`,
  ];
}

function describeTier({ backend, type, held }: InspectedTier): string[] {
  if ('unavailable' in held) return [`  ${backend} (${type}): UNAVAILABLE: ${held.unavailable}`];
  const { afterPosition, throughPosition, records } = held.value;
  const lines = [...records.values()].map((record) => `    ${describeRecord(record)}`);
  return [
    `  ${backend} (${type}), answers for positions ${afterPosition + 1n} to ${throughPosition}`,
    ...(lines.length === 0 ? ['    nothing'] : lines),
  ];
}

function describeRecord(held: HeldRecord): string {
  const { ingestionMs, firstMs, position, orphaned } = held.record;
  const times = `ingested ${formatMs(ingestionMs)}, first ${formatMs(firstMs)}, position ${position}`;
  const state = orphaned ? 'ORPHANED, ' : '';
  if (held.kind === 'message')
    return `message: ${state}${held.record.status}, ${times}, ${describeOrigin(held.record.origin)}`;
  const { verifierSourceAddress, verifierName, attestationMs, ccvData } = held.record;
  return (
    `result of ${verifierSourceAddress} by ${verifierName}: ${state}attested ${formatMs(attestationMs)}, ${times}, ` +
    `${ccvData.length} bytes of proof`
  );
}

function describeOrigin(origin: MessageOrigin | null): string {
  if (origin === null) return 'not read from the chain';
  const { blockNumber, blockHash, logIndex, transactionHash } = origin;
  return `block ${blockNumber} ${blockHash}, log ${logIndex}, transaction ${transactionHash}`;
}

function describeChain({ chain, cursors }: Inspection): string[] {
  const lines =
    'value' in cursors
      ? cursors.value.map(({ sourceId, height }) => `  cursor ${sourceId} at ${height}`)
      : [`  cursors UNAVAILABLE: ${cursors.unavailable}`];
  if (!chain) return ['source chain: not configured, or not known', ...lines];
  return [
    `source chain ${chain.name}`,
    ...chain.nodes.map(({ url, answer }) => `  RPC URL ${url}: ${shown(answer, describeNode)}`),
    ...lines,
  ];
}

function describeExecutions({ executions }: Inspection): string[] {
  if ('unavailable' in executions) return [`executions UNAVAILABLE: ${executions.unavailable}`];
  if (executions.value.length === 0) return [];
  return [
    'executions',
    ...executions.value.map(
      ({ state, orphaned, place, offRamp, returnData }) =>
        `  ${state}${orphaned ? ', ORPHANED' : ''}: ${describeOrigin(place)}, ${formatMs(place.blockTimestampMs)}, ` +
        `OffRamp ${offRamp}${returnData.length > 0 ? `, error of ${returnData.length} bytes` : ''}`,
    ),
  ];
}

function describeNode({ head, final, log, looked }: NodeAnswer): string {
  const heads = `head ${head}, final ${final ?? 'unknown'}`;
  if (!log) return `${heads}; it has no such log in blocks ${looked.from} to ${looked.to}`;
  const { blockNumber, blockHash, logIndex, isFinal } = log;
  const state = isFinal === null ? 'of unknown finality' : isFinal ? 'final' : 'not final yet';
  return `${heads}; log ${logIndex} of block ${blockNumber} ${blockHash}, ${state}`;
}

function describeSource({ name, kind, answer }: InspectedSource, { tiers }: Inspection): string {
  return `  ${kind} ${name}: ${shown(answer, (value) => {
    switch (value.state) {
      case 'unknown':
        return 'does not know it';
      case 'announced':
        return 'announces it, without a result';
      case 'rejected':
        return `gives a result that fails the check ${value.reason}: ${value.detail}`;
      case 'result': {
        const { verifierSourceAddress: address, attestationMs, payloadHash } = value;
        const hashes = storedHashes(tiers, address);
        const same =
          hashes.size === 0 ? 'not stored' : hashes.has(payloadHash) ? 'as stored' : 'OTHER BYTES than stored';
        return `result of ${address}, attested ${formatMs(attestationMs)}, ${same}`;
      }
    }
  })}`;
}

/** The payload hashes of the stored results of a CCV. */
function storedHashes(tiers: Inspection['tiers'], address: string): ReadonlySet<string> {
  const records = tiers.flatMap(({ held }) => ('value' in held ? [...held.value.records.values()] : []));
  return new Set(
    records.flatMap(({ kind, record }) =>
      kind === 'verifierResult' && record.verifierSourceAddress === address ? [verifierResultPayloadHash(record)] : [],
    ),
  );
}

function describeRemarks({ remarks }: Inspection): string[] {
  return remarks.flatMap(({ backend, about }) => {
    if ('unavailable' in about) return [`entries of ${backend} UNAVAILABLE: ${about.unavailable}`];
    const { conflicts, quarantine, replacements, isPruned } = about.value;
    return [
      ...conflicts.map(
        ({ record, verifierSourceAddress: address, ingestionMs, storedHash, receivedHash }) =>
          `conflict of the ${record === 'verifierResult' ? `result of ${address}` : record} in ${backend}, ` +
          `${formatMs(ingestionMs)}: stored ${storedHash}, received ${receivedHash}`,
      ),
      ...quarantine.map(
        ({ sourceId, key, reason, detail, ingestionMs }) =>
          `quarantined in ${backend}, ${formatMs(ingestionMs)}: ${sourceId} ${key}: ${reason}: ${detail}`,
      ),
      ...replacements.map(
        ({ replay, verifierSourceAddress: address, replacedMs, storedHash, receivedHash }) =>
          `replaced in ${backend} by replay ${replay}, ${formatMs(replacedMs)}: result of ${address}, ` +
          `${storedHash} by ${receivedHash}`,
      ),
      ...(isPruned ? [`pruned from ${backend}, at least in part: the cold tier has it`] : []),
    ];
  });
}

function shown<T>(asked: Asked<T>, of: (value: T) => string): string {
  return 'value' in asked ? of(asked.value) : `UNAVAILABLE: ${asked.unavailable}`;
}

function sizeOf(hex: string): number {
  return (hex.length - 2) >>> 1;
}
