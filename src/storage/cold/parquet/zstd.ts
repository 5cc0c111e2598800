import { compressUsingDict, createCCtx, createDCtx, decompressUsingDict, init } from '@bokuweb/zstd-wasm';
import { viewOf } from './data-view.js';
import { ParquetFormatError } from './parquet-format-error.js';

/** Zstandard, synchronous. Results own their memory. */
export interface Zstd {
  /** Compresses to one frame at level 1, with the size of its content. */
  compress(bytes: Uint8Array): Uint8Array;
  /**
   * The content of one frame, which is `sizeBytes` long.
   * @throws ParquetFormatError for anything else.
   */
  decompress(bytes: Uint8Array, sizeBytes: number): Uint8Array;
}

const LEVEL = 1;
const NO_DICTIONARY = new Uint8Array(0);
const MAGIC = 0xfd2fb528;

let loading: Promise<Zstd> | undefined;

/** The one instance of the process; its WebAssembly is loaded by the first call. */
export function loadZstd(): Promise<Zstd> {
  loading ??= init().then(createZstd);
  return loading;
}

function createZstd(): Zstd {
  // contexts are kept: making one costs more than compressing a small page
  const compression = createCCtx();
  const decompression = createDCtx();
  return {
    compress: (bytes) => compressUsingDict(compression, bytes, NO_DICTIONARY, LEVEL),
    decompress(bytes, sizeBytes) {
      // checked first: the library believes the frame and does not survive when there is no such memory
      const declared = contentSize(bytes);
      if (declared !== null && declared !== sizeBytes)
        throw new ParquetFormatError(`a compressed page holds ${declared} bytes, not ${sizeBytes}`);
      if (sizeBytes === 0) return new Uint8Array(0);
      const content = inflate(bytes, sizeBytes);
      if (content.length !== sizeBytes)
        throw new ParquetFormatError(`a compressed page holds ${content.length} bytes, not ${sizeBytes}`);
      return content;
    },
  };

  function inflate(bytes: Uint8Array, sizeBytes: number): Uint8Array {
    try {
      return decompressUsingDict(decompression, bytes, NO_DICTIONARY, { defaultHeapSize: sizeBytes });
    } catch (cause) {
      throw new ParquetFormatError('a compressed page is damaged', { cause });
    }
  }
}

/**
 * The size of a frame's content by its header, null when that has none (RFC 8878, section 3.1.1.1).
 * @throws ParquetFormatError when there is no frame.
 */
function contentSize(bytes: Uint8Array): number | null {
  const view = viewOf(bytes);
  if (view.byteLength < 6 || view.getUint32(0, true) !== MAGIC)
    throw new ParquetFormatError('a compressed page is not a Zstandard frame');
  const descriptor = view.getUint8(4);
  const singleSegment = (descriptor & 0x20) !== 0;
  const dictionaryIdBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const at = 5 + (singleSegment ? 0 : 1) + dictionaryIdBytes;
  const sizeFlag = descriptor >>> 6;
  const sizeFieldBytes = sizeFlag === 0 ? (singleSegment ? 1 : 0) : 2 ** sizeFlag;
  if (at + sizeFieldBytes > view.byteLength) throw new ParquetFormatError('a compressed page is cut off');
  switch (sizeFieldBytes) {
    case 0:
      return null;
    case 1:
      return view.getUint8(at);
    case 2:
      return view.getUint16(at, true) + 256;
    case 4:
      return view.getUint32(at, true);
    default:
      return Number(view.getBigUint64(at, true));
  }
}
