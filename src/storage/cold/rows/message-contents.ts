import { bytesToHex, hexToBytes } from '../../../core/hex.js';
import { readContents } from '../../../model/contents-filter.js';
import type { Message, TokenTransfer } from '../../../protocol/message.js';
import { decodeMessage, encodeMessage, MessageDecodeError } from '../../../protocol/message-codec.js';
import { type ColumnSpec, type ColumnValue, column, DECIMAL_DIGITS } from '../parquet/columns.js';
import { ParquetFormatError } from '../parquet/parquet-format-error.js';
import type { Cell, Cells } from './cells.js';

/*
 * The contents of a message in columns of their own. They encode to its canonical bytes, which are therefore not stored
 * a second time: that would make a message's row half as large again, and twice as large with much data.
 *
 * A message that they cannot hold (bytes that are no message of version 1, a number beyond an int64) has its bytes in
 * `encoded_message`.
 */

const MAX_INT64 = 2n ** 63n - 1n;
const NULLABLE = { nullable: true } as const;

/** Columns of one message, all nullable. */
export const CONTENT_COLUMNS: readonly ColumnSpec[] = [
  column('encoded_message', 'binary', {
    ...{ ...NULLABLE, distinct: true },
    comment: 'Canonical bytes of a message that the other columns cannot hold. Null: they are what those encode to.',
  }),
  column('message_number', 'int64', {
    ...{ ...NULLABLE, statistics: true, deltas: true },
    comment: 'Number of the message in its lane.',
  }),
  column('sender', 'string', { ...NULLABLE, comment: 'Address, left-padded to 32 bytes for EVM chains.' }),
  column('receiver', 'string', { ...NULLABLE, comment: 'Address on the destination chain.' }),
  column('on_ramp_address', 'string', { ...NULLABLE, comment: 'Contract that sent the message.' }),
  column('off_ramp_address', 'string', { ...NULLABLE, comment: 'Contract that executes the message.' }),
  column('finality', 'int64', { ...NULLABLE, comment: 'The four finality bytes as a number.' }),
  column('execution_gas_limit', 'int64', { ...NULLABLE, comment: 'Gas of the whole execution.' }),
  column('ccip_receive_gas_limit', 'int64', { ...NULLABLE, comment: 'Gas of the receiver.' }),
  column('ccv_and_executor_hash', 'string', { ...NULLABLE, comment: 'keccak-256 over CCV and executor addresses.' }),
  column('token_amount', 'string', {
    ...NULLABLE,
    comment: "Decimal digits, in the token's smallest unit. Null without a token transfer.",
  }),
  column('token_source_address', 'string', { ...NULLABLE, comment: 'Token on the source chain.' }),
  column('token_source_pool_address', 'string', { ...NULLABLE, comment: 'Pool of the token on the source chain.' }),
  column('token_dest_address', 'string', { ...NULLABLE, comment: 'Token on the destination chain.' }),
  column('token_receiver', 'string', { ...NULLABLE, comment: 'Receiver of the token.' }),
  column('token_extra_data', 'string', { ...NULLABLE, comment: 'Data of the token transfer, hex.' }),
  column('data', 'binary', { ...NULLABLE, distinct: true, comment: 'What the receiver is given.' }),
  column('dest_blob', 'binary', { ...NULLABLE, comment: 'Parameters of the destination chain.' }),
];

/** The token amount again, as a number. */
export const AMOUNT_COLUMN = column('token_amount_decimal', 'decimal', {
  ...NULLABLE,
  comment: `token_amount as a number; null also for amounts of more than ${DECIMAL_DIGITS} digits.`,
});

/** The cell of `AMOUNT_COLUMN` beside these of `CONTENT_COLUMNS`. */
export function amountCell(contents: readonly ColumnValue[]): bigint | null {
  const digits = contents[AMOUNT_PLACE];
  return typeof digits === 'string' && digits.length <= DECIMAL_DIGITS ? BigInt(digits) : null;
}

const AMOUNT_PLACE = CONTENT_COLUMNS.findIndex(({ name }) => name === 'token_amount');

/** The cells of a message, in the order of `CONTENT_COLUMNS`. */
export function contentCells(encodedMessage: Uint8Array): ColumnValue[] {
  const message = decoded(encodedMessage);
  if (message === null || message.messageNumber > MAX_INT64) return bytesCells(encodedMessage);
  const { tokenTransfer: token } = message;
  return [
    null,
    message.messageNumber,
    message.sender,
    message.receiver,
    message.onRampAddress,
    message.offRampAddress,
    BigInt(message.finality),
    BigInt(message.executionGasLimit),
    BigInt(message.ccipReceiveGasLimit),
    message.ccvAndExecutorHash,
    ...(token === null ? NO_TOKEN : tokenCells(token)),
    hexToBytes(message.data),
    hexToBytes(message.destBlob),
  ];
}

/** The cells of a message that the other columns cannot hold: its bytes, and its number to pass over row groups by. */
function bytesCells(encodedMessage: Uint8Array): ColumnValue[] {
  const { messageNumber } = readContents(encodedMessage);
  const cells: ColumnValue[] = CONTENT_COLUMNS.map(() => null);
  cells[0] = encodedMessage;
  if (messageNumber <= MAX_INT64) cells[1] = messageNumber;
  return cells;
}

const NO_TOKEN = [null, null, null, null, null, null];

function tokenCells(token: TokenTransfer): ColumnValue[] {
  return [
    String(token.amount),
    token.sourceTokenAddress,
    token.sourcePoolAddress,
    token.destTokenAddress,
    token.tokenReceiver,
    token.extraData,
  ];
}

/** Reads the canonical bytes of messages, each in memory of its own. `lane`: the selectors of a row. */
export function encodedCells(cells: Cells, lane: Cell<Pick<Message, 'sourceChainSelector' | 'destChainSelector'>>) {
  const stored = cells.bytesOrNull('encoded_message');
  const contents = messages(cells);
  return (row: number): Uint8Array =>
    stored(row) ?? new Uint8Array(encodeMessage({ version: 1, ...lane(row), ...contents(row) }));
}

function messages(cells: Cells): Cell<Omit<Message, 'version' | 'sourceChainSelector' | 'destChainSelector'>> {
  const messageNumber = cells.bigint('message_number');
  const sender = cells.hex('sender');
  const receiver = cells.hex('receiver');
  const onRampAddress = cells.hex('on_ramp_address');
  const offRampAddress = cells.hex('off_ramp_address');
  const finality = cells.number('finality');
  const executionGasLimit = cells.number('execution_gas_limit');
  const ccipReceiveGasLimit = cells.number('ccip_receive_gas_limit');
  const ccvAndExecutorHash = cells.hex('ccv_and_executor_hash');
  const tokenTransfer = tokenTransfers(cells);
  const data = cells.bytes('data');
  const destBlob = cells.bytes('dest_blob');
  return (row) => ({
    messageNumber: messageNumber(row),
    sender: sender(row),
    receiver: receiver(row),
    onRampAddress: onRampAddress(row),
    offRampAddress: offRampAddress(row),
    finality: finality(row),
    executionGasLimit: executionGasLimit(row),
    ccipReceiveGasLimit: ccipReceiveGasLimit(row),
    ccvAndExecutorHash: ccvAndExecutorHash(row),
    tokenTransfer: tokenTransfer(row),
    data: bytesToHex(data(row)),
    destBlob: bytesToHex(destBlob(row)),
  });
}

function tokenTransfers(cells: Cells): Cell<TokenTransfer | null> {
  const amount = cells.textOrNull('token_amount');
  const sourceTokenAddress = cells.hex('token_source_address');
  const sourcePoolAddress = cells.hex('token_source_pool_address');
  const destTokenAddress = cells.hex('token_dest_address');
  const tokenReceiver = cells.hex('token_receiver');
  const extraData = cells.hex('token_extra_data');
  return (row) => {
    const digits = amount(row);
    if (digits === null) return null;
    if (!/^\d+$/.test(digits)) throw new ParquetFormatError('a token amount is not written in digits');
    return {
      version: 1,
      amount: BigInt(digits),
      sourceTokenAddress: sourceTokenAddress(row),
      sourcePoolAddress: sourcePoolAddress(row),
      destTokenAddress: destTokenAddress(row),
      tokenReceiver: tokenReceiver(row),
      extraData: extraData(row),
    };
  };
}

/** Null for bytes that are no message of version 1. */
function decoded(bytes: Uint8Array): Message | null {
  try {
    return decodeMessage(bytes);
  } catch (thrown) {
    if (thrown instanceof MessageDecodeError) return null;
    throw thrown;
  }
}
