import { readFileSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { bytesToHex, type Hex } from '../../../src/core/hex.js';
import type {
  MessageStatus,
  SignatureVerdict,
  StoredMessage,
  StoredVerifierResult,
} from '../../../src/model/records.js';
import type { TokenTransfer } from '../../../src/protocol/message.js';
import { encodeMessage } from '../../../src/protocol/message-codec.js';
import type { ObjectStore } from '../../../src/storage/cold/object-store/object-store.js';
import { ObjectNotFoundError } from '../../../src/storage/cold/object-store/object-store-errors.js';
import { ROOT } from '../e2e/cli.js';
import type { History } from '../e2e/history.js';
import type { DuckDBRow, TestDuckDB } from './duckdb.js';

const SCRIPT = join(ROOT, 'src/storage/cold/read-with-duckdb.sql');
const FOLDER = /^SET VARIABLE folder = 'cold';$/m;

/** What users are told to run to read a namespace's folder, with that folder; nothing in it is ours. */
export function readWithDuckDB(folder: string): string {
  const text = readFileSync(SCRIPT, 'utf8');
  if (!FOLDER.test(text)) throw new Error(`${SCRIPT} does not name its folder`);
  return text.replace(FOLDER, `SET VARIABLE folder = '${folder}';`);
}

/** The part of a history that lists show. */
export function shownOf<T extends { readonly orphaned: boolean }, R extends { readonly orphaned: boolean }>(history: {
  readonly messages: readonly T[];
  readonly results: readonly R[];
}) {
  return {
    messages: history.messages.filter(({ orphaned }) => !orphaned),
    results: history.results.filter(({ orphaned }) => !orphaned),
  };
}

/** The rows of `GET /v1/messages` for a closed range of unix ms, in its order. */
export const MESSAGES_SQL = (startMs: number, endMs: number): string => `
SELECT *, strftime(make_timestamp(ingestion_ms * 1000), '%Y-%m-%dT%H:%M:%S.%gZ') AS ingestion_timestamp,
  CASE status WHEN 'processing' THEN 0 WHEN 'success' THEN 1 WHEN 'timeout' THEN 2 END AS status_code,
  message_number::UBIGINT AS sequence_number
FROM messages
WHERE ingestion_ms BETWEEN ${startMs} AND ${endMs}
ORDER BY ingestion_ms, message_id`;

/** The rows of `GET /v1/verifierresults` for a closed range of unix ms, in its order. */
export const RESULTS_SQL = (startMs: number, endMs: number): string => `
SELECT *, strftime(make_timestamp(ingestion_ms * 1000), '%Y-%m-%dT%H:%M:%S.%gZ') AS ingestion_timestamp,
  strftime(make_timestamp(attestation_ms * 1000), '%Y-%m-%dT%H:%M:%S.%gZ') AS attestation_timestamp
FROM verifier_results
WHERE ingestion_ms BETWEEN ${startMs} AND ${endMs}
ORDER BY ingestion_ms, message_id, verifier_source_address, verifier_dest_address`;

/**
 * Copies a namespace's folder out of a store, as `aws s3 sync` does. What a vacuum takes meanwhile is left out: the log, which
 * is listed first, does not name it any more.
 */
export async function copyNamespace(store: ObjectStore, namespace: string, directory: string): Promise<string> {
  let startAfter: string | undefined;
  for (;;) {
    const page = await store.list(`${namespace}/`, startAfter === undefined ? {} : { startAfter });
    await Promise.all(
      page.objects.map(async ({ key }) => {
        const bytes = await store.get(key).catch((thrown: unknown) => {
          if (thrown instanceof ObjectNotFoundError) return null;
          throw thrown;
        });
        if (bytes === null) return;
        const file = join(directory, key);
        await mkdir(dirname(file), { recursive: true });
        await writeFile(file, bytes);
      }),
    );
    if (page.next === null) return join(directory, namespace);
    startAfter = page.next;
  }
}

/** The records in a copy of a namespace that lists show, in list order. */
export async function coldHistory(duckdb: TestDuckDB, folder: string): Promise<History> {
  await duckdb.run(readWithDuckDB(folder));
  const messages = await duckdb.rows('SELECT * FROM messages ORDER BY ingestion_ms, message_id');
  const results = await duckdb.rows(
    'SELECT * FROM verifier_results ORDER BY ingestion_ms, message_id, verifier_source_address, verifier_dest_address',
  );
  return { messages: messages.map(messageOf), results: results.map(resultOf) };
}

/** A row of `messages`. */
function messageOf(row: DuckDBRow): StoredMessage {
  return {
    ...shared(row),
    status: row['status'] as MessageStatus,
    origin:
      row['block_number'] === null
        ? null
        : {
            blockNumber: row['block_number'] as bigint,
            blockHash: row['block_hash'] as Hex,
            blockTimestampMs: Number(row['block_timestamp_ms']),
            transactionHash: row['transaction_hash'] as Hex,
            logIndex: Number(row['log_index']),
          },
  };
}

/** A row of `verifier_results`. */
function resultOf(row: DuckDBRow): StoredVerifierResult {
  return {
    ...shared(row),
    verifierSourceAddress: row['verifier_source_address'] as Hex,
    verifierDestAddress: row['verifier_dest_address'] as Hex,
    attestationMs: Number(row['attestation_ms']),
    verifierName: row['verifier_name'] as string,
    ccvData: new Uint8Array(row['ccv_data'] as Uint8Array),
    verdict:
      row['verdict'] === null
        ? null
        : {
            verdict: row['verdict'] as SignatureVerdict['verdict'],
            configBlock: row['verdict_config_block'] as bigint,
          },
  };
}

function shared(row: DuckDBRow) {
  return {
    messageId: row['message_id'] as Hex,
    ingestionMs: Number(row['ingestion_ms']),
    position: row['position'] as bigint,
    firstMs: Number(row['first_ms']),
    orphaned: false,
    messageCCVAddresses: row['message_ccv_addresses'] as Hex[],
    messageExecutorAddress: row['message_executor_address'] as Hex,
    encodedMessage: encodedOf(row),
  };
}

/** The canonical bytes of the message in a row: those it has, or what its columns encode to. */
export function encodedOf(row: DuckDBRow): Uint8Array {
  const bytes = row['encoded_message'] as Uint8Array | null;
  if (bytes) return new Uint8Array(bytes);
  const text = (name: string) => row[name] as Hex;
  const encoded = encodeMessage({
    version: 1,
    sourceChainSelector: BigInt(text('source_chain_selector')),
    destChainSelector: BigInt(text('dest_chain_selector')),
    messageNumber: row['message_number'] as bigint,
    executionGasLimit: Number(row['execution_gas_limit']),
    ccipReceiveGasLimit: Number(row['ccip_receive_gas_limit']),
    finality: Number(row['finality']),
    ccvAndExecutorHash: text('ccv_and_executor_hash'),
    onRampAddress: text('on_ramp_address'),
    offRampAddress: text('off_ramp_address'),
    sender: text('sender'),
    receiver: text('receiver'),
    destBlob: bytesToHex(row['dest_blob'] as Uint8Array),
    tokenTransfer: tokenOf(row),
    data: bytesToHex(row['data'] as Uint8Array),
  });
  return new Uint8Array(encoded);
}

function tokenOf(row: DuckDBRow): TokenTransfer | null {
  if (row['token_amount'] === null) return null;
  return {
    version: 1,
    amount: BigInt(row['token_amount'] as string),
    sourcePoolAddress: row['token_source_pool_address'] as Hex,
    sourceTokenAddress: row['token_source_address'] as Hex,
    destTokenAddress: row['token_dest_address'] as Hex,
    tokenReceiver: row['token_receiver'] as Hex,
    extraData: row['token_extra_data'] as Hex,
  };
}
