import { assertNever } from '../core/errors.js';
import type { Hex } from '../core/hex.js';
import type { Change, ChangeSet } from '../model/batch.js';
import { type MessagePlace, readMessagePlace } from '../model/message-place.js';
import type { StoredExecution, StoredMessage, StoredVerifierResult } from '../model/records.js';
import type { Lane } from '../protocol/message.js';
import { canonicalAddress } from '../verifiers/address.js';
import { ExecutionTotals } from './execution-totals.js';
import { BoardLane, type LaneText, NO_TIMES, type NumberedOnRamp } from './lane.js';
import { OldestFirst } from './oldest-first.js';
import { isComplete, neededCCVs, type OpenMessage, type OpenMessageText, sentOf, timesOf } from './open-message.js';
import { OpenMessages } from './open-messages.js';
import { VerifierFigures } from './verifier-figures.js';

/** Orphaned messages that are told apart from each other. */
const MOST_ORPHANS = 100_000;

/**
 * All lanes as of a position: a fold of the changes of a storage. The state depends on the present state of the
 * records, not on the states between: a fold of all changes and one that continues an earlier one are equal. Memory
 * goes by lanes and by messages that wait, not by history (`README.md` has the bounds).
 */
export class LaneBoard {
  readonly #lanes = new Map<string, BoardLane>();
  readonly #open = new OpenMessages((id) => this.#close(id));
  readonly #orphans = new OldestFirst<Hex>(MOST_ORPHANS, () => undefined);
  readonly verifiers: VerifierFigures;
  readonly executions: ExecutionTotals;
  /** Every change up to here is in it. */
  position = 0n;
  /** The last ingestion time that was told, unix ms. */
  newestMs = 0;

  constructor(text?: BoardText) {
    this.verifiers = new VerifierFigures(text?.verifiers);
    this.executions = new ExecutionTotals(text?.executions);
    if (text === undefined) return;
    this.position = BigInt(text.position);
    this.newestMs = text.newestMs;
    for (const id of text.orphans) this.#orphans.add(id);
  }

  /** Continues the fold with a set that begins where it stands, or below. */
  fold({ changes, throughPosition }: ChangeSet): void {
    for (const change of changes) if (change.position > this.position) this.apply(change);
    if (throughPosition > this.position) this.position = throughPosition;
  }

  apply(change: Change): void {
    switch (change.kind) {
      case 'message':
        this.#message(change.record);
        break;
      case 'verifierResult':
        this.#result(change.record);
        break;
      case 'execution':
        this.#execution(change.record);
        break;
      case 'cursor':
      case 'quarantine':
      case 'conflict':
        break;
      default:
        assertNever(change, 'change');
    }
    if (change.position > this.position) this.position = change.position;
  }

  lanes(): Iterable<BoardLane> {
    return this.#lanes.values();
  }

  lane({ sourceChainSelector, destChainSelector }: Lane): BoardLane | undefined {
    return this.#lanes.get(`${sourceChainSelector}-${destChainSelector}`);
  }

  /** Messages that are not verified, and those of which only results or executions were told. */
  openMessages(): Iterable<OpenMessage> {
    return this.#open.values();
  }

  /** Messages that a reorg removed and that have not come back, up to 100 000. */
  get orphaned(): number {
    return this.#orphans.size;
  }

  /** Takes over a lane or an open message that was kept. Each once, lanes first. */
  restore({ lane, open }: { readonly lane?: LaneText; readonly open?: OpenMessageText }): void {
    if (lane) {
      const [source, dest] = [BigInt(lane.source), BigInt(lane.dest)];
      this.#lanes.set(`${source}-${dest}`, new BoardLane(source, dest, lane));
    }
    if (!open) return;
    const [source, dest] = open.lane.map(BigInt);
    const of = this.#laneOf({ sourceChainSelector: source ?? 0n, destChainSelector: dest ?? 0n });
    const { number, onRamp, lane: _, ...others } = open;
    const restored = { ...others, lane: of, number: BigInt(number), onRamp: onRamp && of.onRamp(onRamp) };
    this.#open.keep(restored);
  }

  /** The part that is not by lane or message. */
  toText(): BoardText {
    const { verifiers, executions, position, newestMs } = this;
    const orphans = [...this.#orphans.keys()];
    return {
      ...{ position: String(position), newestMs, orphans },
      ...{ verifiers: verifiers.toText(), executions: executions.toText() },
    };
  }

  #message(record: StoredMessage): void {
    const { messageId, orphaned, status, messageCCVAddresses } = record;
    const place = readMessagePlace(record.encodedMessage);
    const lane = this.#laneOf(place);
    const onRamp = lane.onRamp(place.onRampAddress);
    const number = place.messageNumber;
    if (orphaned) {
      this.#orphan(messageId, lane, onRamp, number);
      return;
    }
    this.#newest(record.ingestionMs);
    this.#orphans.delete(messageId);
    const message = sentOf(record);
    const open = this.#open.get(messageId);
    if (open === undefined || isExecutedAlone(open)) {
      const found = onRamp.recent.find(number, messageId);
      if (open === undefined && typeof found === 'object') {
        const now = { ...found, ...message };
        lane.note(found, now, this.newestMs);
        onRamp.recent.put(number, messageId, now);
        return;
      }
      // verified long ago
      if (found === 'forgotten' && onRamp.numbers.has(number)) return;
    }
    const now = open ?? { ...unknown(messageId, lane, number), onRamp };
    const old = open ? timesOf(open) : NO_TIMES;
    const isNew = now.message === null;
    Object.assign(now, { message, status, onRamp, ccvs: now.ccvs ?? neededCCVs(messageCCVAddresses) });
    if (isNew) onRamp.add(number, messageId, message);
    this.#settle(now, old);
  }

  #orphan(messageId: Hex, lane: BoardLane, onRamp: NumberedOnRamp, number: bigint): void {
    this.#orphans.add(messageId);
    const open = this.#open.get(messageId);
    const found = onRamp.recent.find(number, messageId);
    if (open) {
      const old = timesOf(open);
      if (open.message !== null) this.#withdraw(onRamp, number, messageId);
      Object.assign(open, { message: null, ccvs: null, status: 'processing' });
      lane.note(old, timesOf(open), this.newestMs);
      if (open.executedMs === null) this.#open.delete(messageId);
      else this.#open.keep(open);
      return;
    }
    if (found === 'other' || (found === 'forgotten' && !onRamp.numbers.has(number))) return;
    this.#withdraw(onRamp, number, messageId);
    if (found === 'forgotten') return;
    const { executedMs } = found;
    lane.note(found, { ...NO_TIMES, executedMs }, this.newestMs);
    if (executedMs !== null) this.#open.keep({ ...unknown(messageId, lane, number), onRamp, executedMs });
  }

  #withdraw(onRamp: NumberedOnRamp, number: bigint, messageId: Hex): void {
    const heir = onRamp.remove(number, messageId);
    const open = heir === null ? undefined : this.#open.get(heir);
    if (!open?.message) return;
    onRamp.give(number, open.messageId, { ...open.message, verifiedMs: null, executedMs: null });
    if (isComplete(open.ccvs)) this.#close(open.messageId);
  }

  #result(record: StoredVerifierResult): void {
    const { messageId, orphaned, ingestionMs, messageCCVAddresses } = record;
    if (!orphaned) this.#newest(ingestionMs);
    const isMoved = this.verifiers.note(record, this.newestMs);
    const address = canonicalAddress(record.verifierSourceAddress);
    let open = this.#open.get(messageId);
    if (open === undefined || isExecutedAlone(open)) {
      if (orphaned) return;
      const ccvs = neededCCVs(messageCCVAddresses);
      if (!ccvs.some((ccv) => ccv.address === address)) return;
      const place = readMessagePlace(record.encodedMessage);
      const lane = this.#laneOf(place);
      const onRamp = lane.onRamp(place.onRampAddress);
      if (this.#isClosed(record, lane, onRamp, place, isMoved)) return;
      open ??= { ...unknown(messageId, lane, place.messageNumber), onRamp };
    }
    const old = timesOf(open);
    open.ccvs ??= neededCCVs(messageCCVAddresses);
    const ccv = open.ccvs.find((each) => each.address === address);
    if (ccv) ccv.answeredMs = orphaned ? null : ingestionMs;
    this.#settle(open, old);
  }

  /** Whether a result is of a verified message, of which it moves the time when it was moved itself. */
  #isClosed(
    { messageId, ingestionMs }: StoredVerifierResult,
    lane: BoardLane,
    onRamp: NumberedOnRamp,
    { messageNumber: number }: MessagePlace,
    isMoved: boolean,
  ): boolean {
    const found = onRamp.recent.find(number, messageId);
    if (typeof found !== 'object') return found === 'forgotten' && onRamp.numbers.has(number);
    if (isMoved && ingestionMs > (found.verifiedMs ?? 0)) {
      const now = { ...found, verifiedMs: ingestionMs };
      lane.note(found, now, this.newestMs);
      onRamp.recent.put(number, messageId, now);
    }
    return true;
  }

  #execution(record: StoredExecution): void {
    const { messageId, messageNumber: number, orphaned, state, ingestionMs, place } = record;
    this.executions.note(record);
    if (state !== 'success') return;
    if (!orphaned) this.#newest(ingestionMs);
    const lane = this.#laneOf(record);
    const atMs = Math.min(place.blockTimestampMs, ingestionMs);
    const executedNow = (was: number | null) => (orphaned ? (was === atMs ? null : was) : atMs);
    const open = this.#open.get(messageId);
    if (open) {
      const old = timesOf(open);
      open.executedMs = executedNow(open.executedMs);
      lane.note(old, timesOf(open), this.newestMs);
      const isNothing = open.message === null && open.ccvs === null && open.executedMs === null;
      if (isNothing) this.#open.delete(messageId);
      return;
    }
    for (const { recent } of lane.onRamps.values()) {
      const found = recent.find(number, messageId);
      if (typeof found !== 'object') continue;
      const now = { ...found, executedMs: executedNow(found.executedMs) };
      lane.note(found, now, this.newestMs);
      recent.put(number, messageId, now);
      return;
    }
    if (orphaned) return;
    const stranger = { ...unknown(messageId, lane, number), executedMs: atMs };
    lane.note(NO_TIMES, timesOf(stranger), this.newestMs);
    this.#open.keep(stranger);
  }

  /** Counts the times of an open message anew, and closes it when nothing more is waited for. */
  #settle(open: OpenMessage, old: ReturnType<typeof timesOf>): void {
    open.lane.note(old, timesOf(open), this.newestMs);
    this.#open.keep(open);
    if (open.message !== null && isComplete(open.ccvs)) this.#close(open.messageId);
  }

  /** From here on a verified message is remembered by its number, as long as there is room. */
  #close(messageId: Hex): void {
    const open = this.#open.get(messageId);
    if (!open?.message || !open.onRamp) return;
    const { number, onRamp, message } = open;
    const found = onRamp.recent.find(number, messageId);
    // two have its number: it stays until one of them goes
    if (found === 'other') return;
    this.#open.delete(messageId);
    if (found === 'forgotten') return;
    const { verifiedMs, executedMs } = timesOf(open);
    onRamp.recent.put(number, messageId, { ...message, verifiedMs, executedMs });
  }

  #laneOf({ sourceChainSelector, destChainSelector }: Lane): BoardLane {
    const key = `${sourceChainSelector}-${destChainSelector}`;
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = new BoardLane(sourceChainSelector, destChainSelector);
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  #newest(ms: number): void {
    if (ms > this.newestMs) this.newestMs = ms;
  }
}

/** Of a message that was verified long ago, or one that is not told yet: its number says which. */
function isExecutedAlone({ message, ccvs }: OpenMessage): boolean {
  return message === null && ccvs === null;
}

function unknown(messageId: Hex, lane: BoardLane, number: bigint): OpenMessage {
  return { messageId, lane, number, onRamp: null, ccvs: null, message: null, status: 'processing', executedMs: null };
}

/** The part of a board that is not by lane or message, as it is kept. */
export interface BoardText {
  readonly position: string;
  readonly newestMs: number;
  readonly orphans: readonly Hex[];
  readonly verifiers: ReturnType<VerifierFigures['toText']>;
  readonly executions: ReturnType<ExecutionTotals['toText']>;
}
