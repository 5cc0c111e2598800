import { IndexerError } from '../core/errors.js';
import { type Hex, isHex } from '../core/hex.js';
import type { Message, TokenTransfer } from './message.js';
import { TOKEN_TRANSFER_BASE_BYTES } from './token-transfer-codec.js';

/** A JSON value is no message. `path` and `details` have the place, the expected and the found value. */
export class MessageJsonError extends IndexerError {
  readonly path: string;
  constructor(path: string, expected: string, found: string) {
    super('MESSAGE_JSON', `${path}: expected ${expected}, found ${found}`, false, {
      details: { path, expected, found },
    });
    this.path = path;
  }
}

const MAX_U32 = 0xffff_ffff;
const MAX_U64 = 2n ** 64n - 1n;
const MAX_U256 = 2n ** 256n - 1n;
const MAX_ADDRESS_BYTES = 255;
const MAX_BLOB_BYTES = 0xffff;

/**
 * The message in a value that `parseExactJson` gave (`README.md`). Hex of either case; null, `""`, `"0x"` and
 * absent all mean empty; numbers as number or bigint. Length fields may be absent or null, but not disagree with the
 * bytes. Fields that are not listed there are ignored.
 * @throws MessageJsonError with the path of the first bad field, below `path`.
 */
export function messageFromJson(value: unknown, path = 'message'): Message {
  const fields = new Fields(value, path);
  const tokenTransfer = readTokenTransfer(fields);
  const message: Message = {
    version: fields.version('version'),
    sourceChainSelector: fields.bigint('source_chain_selector', MAX_U64),
    destChainSelector: fields.bigint('dest_chain_selector', MAX_U64),
    messageNumber: fields.bigint('sequence_number', MAX_U64),
    executionGasLimit: fields.u32('execution_gas_limit'),
    ccipReceiveGasLimit: fields.u32('ccip_receive_gas_limit'),
    finality: fields.u32('finality'),
    ccvAndExecutorHash: fields.hash('ccv_and_executor_hash'),
    onRampAddress: fields.hex('on_ramp_address', MAX_ADDRESS_BYTES),
    offRampAddress: fields.hex('off_ramp_address', MAX_ADDRESS_BYTES),
    sender: fields.hex('sender', MAX_ADDRESS_BYTES),
    receiver: fields.hex('receiver', MAX_ADDRESS_BYTES),
    destBlob: fields.hex('dest_blob', MAX_BLOB_BYTES),
    tokenTransfer,
    data: fields.hex('data', MAX_BLOB_BYTES),
  };
  return message;
}

function readTokenTransfer(message: Fields): TokenTransfer | null {
  const value = message.value('token_transfer');
  if (value === undefined || value === null) {
    message.length('token_transfer_length', 0);
    return null;
  }
  const fields = new Fields(value, `${message.path}.token_transfer`);
  const transfer: TokenTransfer = {
    version: fields.version('version'),
    amount: fields.bigint('amount', MAX_U256),
    sourcePoolAddress: fields.hex('source_pool_address', MAX_ADDRESS_BYTES),
    sourceTokenAddress: fields.hex('source_token_address', MAX_ADDRESS_BYTES),
    destTokenAddress: fields.hex('dest_token_address', MAX_ADDRESS_BYTES),
    tokenReceiver: fields.hex('token_receiver', MAX_ADDRESS_BYTES),
    extraData: fields.hex('extra_data', MAX_BLOB_BYTES),
  };
  const { sourcePoolAddress, sourceTokenAddress, destTokenAddress, tokenReceiver, extraData } = transfer;
  const digits = [sourcePoolAddress, sourceTokenAddress, destTokenAddress, tokenReceiver, extraData].join('');
  const sizeBytes = TOKEN_TRANSFER_BASE_BYTES + (digits.length - 2 * 5) / 2;
  if (sizeBytes > MAX_BLOB_BYTES)
    throw new MessageJsonError(fields.path, `at most ${MAX_BLOB_BYTES} bytes encoded`, `${sizeBytes} bytes`);
  message.length('token_transfer_length', sizeBytes);
  return transfer;
}

/** The fields of one JSON object, read with their checks. */
class Fields {
  readonly path: string;
  readonly #object: object;

  constructor(value: unknown, path: string) {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new MessageJsonError(path, 'an object', describe(value));
    this.path = path;
    this.#object = value;
  }

  /** The own property; undefined without one. */
  value(name: string): unknown {
    return Object.hasOwn(this.#object, name) ? (this.#object as Record<string, unknown>)[name] : undefined;
  }

  version(name: string): 1 {
    const value = this.value(name);
    if (value !== 1) this.#refuse(name, 'version 1', value);
    return 1;
  }

  u32(name: string): number {
    const value = this.value(name);
    if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value > MAX_U32)
      this.#refuse(name, 'an unsigned 32-bit number', value);
    return value;
  }

  bigint(name: string, max: bigint): bigint {
    const value = this.value(name);
    const exact = typeof value === 'bigint' || Number.isSafeInteger(value);
    const number = exact ? BigInt(value as bigint | number) : -1n;
    if (number < 0n || number > max) this.#refuse(name, `a whole number from 0 to ${max}`, value);
    return number;
  }

  /** Bytes and, when it is there, the field `<name>_length`. */
  hex(name: string, maxBytes: number): Hex {
    const value = this.value(name);
    const hex = value === undefined || value === null || value === '' ? '0x' : value;
    if (!isHex(hex)) this.#refuse(name, '0x and an even number of hex digits', value);
    const sizeBytes = (hex.length - 2) / 2;
    if (sizeBytes > maxBytes) this.#refuse(name, `at most ${maxBytes} bytes`, `${sizeBytes} bytes`);
    this.length(`${name}_length`, sizeBytes);
    return hex.toLowerCase() as Hex;
  }

  hash(name: string): Hex {
    const value = this.value(name);
    if (!isHex(value) || value.length !== 66) this.#refuse(name, '0x and 64 hex digits', value);
    return value.toLowerCase() as Hex;
  }

  length(name: string, expected: number): void {
    const value = this.value(name);
    if (value !== undefined && value !== null && value !== expected)
      this.#refuse(name, `the length ${expected}`, value);
  }

  #refuse(name: string, expected: string, found: unknown): never {
    throw new MessageJsonError(`${this.path}.${name}`, expected, describe(found));
  }
}

function describe(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'string') return value.length > 40 ? `"${value.slice(0, 40)}…"` : `"${value}"`;
  // printing an integer of megabytes takes seconds
  if (typeof value === 'bigint' && BigInt.asUintN(256, value) !== value) return 'an integer of another size';
  return typeof value === 'object' ? 'an object' : String(value);
}
