import type { HeldRecord, HeldRecords } from '../../app/doctor/held-records.js';
import type { Asked } from '../../app/doctor/inspect/asked.js';
import type { Inspection } from '../../app/doctor/inspect/inspection.js';
import { bytesToHex } from '../../core/hex.js';
import { messagePayloadHash, verifierResultPayloadHash } from '../../model/payload.js';
import type { MessageBody } from '../../model/records.js';
import { decodeMessage } from '../../protocol/message-codec.js';

/** An inspection as `inspect --json` prints it: bytes are hex, large ones only their size and hash. */
export function inspectionJson(inspection: Inspection) {
  const { body, tiers, sources, executions, ...rest } = inspection;
  return {
    ...rest,
    message: body && messageJson(body),
    tiers: tiers.map(({ held, ...tier }) => ({ ...tier, ...answerJson(held, heldJson) })),
    sources: sources.map(({ answer, ...source }) => ({
      ...source,
      ...answerJson(answer, (value) => ('body' in value ? { ...value, body: undefined } : value)),
    })),
    executions: answerJson(executions, (value) => ({
      executions: value.map((each) => ({ ...each, returnData: bytesToHex(each.returnData) })),
    })),
    cursors: answerJson(rest.cursors, (cursors) => ({ cursors })),
    remarks: rest.remarks.map(({ backend, about }) => ({ backend, ...answerJson(about, (value) => value) })),
    chain: rest.chain && {
      name: rest.chain.name,
      nodes: rest.chain.nodes.map(({ url, answer }) => ({ url, ...answerJson(answer, (value) => value) })),
    },
  };
}

function answerJson<T>(asked: Asked<T>, of: (value: T) => object): object {
  return 'value' in asked ? of(asked.value) : asked;
}

function messageJson(body: MessageBody) {
  return {
    ...decodeMessage(body.encodedMessage),
    encodedMessage: bytesToHex(body.encodedMessage),
    ccvAddresses: body.messageCCVAddresses,
    executorAddress: body.messageExecutorAddress,
  };
}

function heldJson({ afterPosition, throughPosition, records }: HeldRecords) {
  const all = [...records.values()];
  const [message = null] = all.filter(({ kind }) => kind === 'message').map(recordJson);
  const results = all.filter(({ kind }) => kind === 'verifierResult').map(recordJson);
  return { afterPosition, throughPosition, message, results };
}

/** A record without the parts that all records of the message share. */
function recordJson(held: HeldRecord) {
  if (held.kind === 'message') {
    const { messageId: _, encodedMessage, messageCCVAddresses, messageExecutorAddress, ...stamp } = held.record;
    const body = { encodedMessage, messageCCVAddresses, messageExecutorAddress };
    return { ...stamp, payloadHash: messagePayloadHash(body) };
  }
  const { messageId: _, encodedMessage, messageCCVAddresses, messageExecutorAddress, ccvData, ...stamp } = held.record;
  const payload = { encodedMessage, messageCCVAddresses, messageExecutorAddress, ccvData };
  return { ...stamp, ccvDataBytes: ccvData.length, payloadHash: verifierResultPayloadHash(payload) };
}
