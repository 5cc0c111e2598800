import { InvalidArgumentError } from '../../core/errors.js';
import type { Hex } from '../../core/hex.js';
import { mapInParallel } from '../../core/parallel.js';
import type { StoredExecution, StoredMessage } from '../../model/records.js';
import { MessageNotFoundError } from '../../model/storage-errors.js';
import type { Storage } from '../../storage/storage.js';
import { HttpError } from '../http/http-error.js';

/** Pattern of the hashes that `parseTransactionHash` accepts, for the OpenAPI document. */
export const TRANSACTION_HASH_PATTERN = '^(0[xX])?([0-9a-fA-F]{2}){1,255}$';

const SHAPE = new RegExp(TRANSACTION_HASH_PATTERN);
const PARALLEL_MESSAGES = 8;

/**
 * A transaction's hash as clients write it: hex of either case, with or without `0x`.
 * @throws InvalidArgumentError
 */
export function parseTransactionHash(text: string): Hex {
  if (!SHAPE.test(text))
    throw new InvalidArgumentError('bad transactionHash: must be hexadecimal, whole bytes, at most 255 of them');
  return `0x${text.replace(/^0x/i, '').toLowerCase()}`;
}

/** The records of a transaction, with the message of each execution where one is stored. */
export interface FoundTransaction {
  readonly transactionHash: Hex;
  readonly messages: readonly StoredMessage[];
  readonly executions: readonly { readonly execution: StoredExecution; readonly message: StoredMessage | null }[];
  readonly position: bigint;
}

/** @throws HttpError 404 when no record is of the transaction, and as storage does. */
export async function findTransaction(
  storage: Pick<Storage, 'getTransaction' | 'getMessage'>,
  transactionHash: Hex,
): Promise<FoundTransaction> {
  const { value, throughPosition } = await storage.getTransaction(transactionHash);
  const { messages, executions } = value;
  if (messages.length + executions.length === 0) throw new HttpError(404, 'transaction not found');
  const ids = [...new Set(executions.map(({ messageId }) => messageId))];
  const found = await mapInParallel(
    ids,
    PARALLEL_MESSAGES,
    async (id) => [id, await messageOrNull(storage, id)] as const,
  );
  const byId = new Map(found);
  return {
    ...{ transactionHash, messages, position: throughPosition },
    executions: executions.map((execution) => ({ execution, message: byId.get(execution.messageId) ?? null })),
  };
}

async function messageOrNull(storage: Pick<Storage, 'getMessage'>, messageId: Hex): Promise<StoredMessage | null> {
  try {
    return await storage.getMessage(messageId);
  } catch (thrown) {
    if (thrown instanceof MessageNotFoundError) return null;
    throw thrown;
  }
}
