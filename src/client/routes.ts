// Made of the OpenAPI document by `npm run client`. Change the schemas of src/api/v2, and make it anew.

/** Bytes: 0x and lower-case hex. */
export type Hex = `0x${string}`;

export interface Change {
  readonly position: string;
  readonly kind: 'message' | 'verifierResult' | 'execution';
  readonly messageId: Hex;
  readonly sourceChainSelector: string;
  readonly destChainSelector: string;
  readonly message?: Message;
  readonly verification?: Verification;
  readonly execution?: Execution;
}

export interface Durations {
  readonly count: number;
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
}

export interface Execution {
  /** failure is not final. */
  readonly state: 'untouched' | 'in-progress' | 'success' | 'failure';
  readonly returnData: Hex;
  readonly messageNumber: string;
  readonly offRamp: Hex;
  readonly place: {
    readonly blockNumber: string;
    readonly blockHash: Hex;
    readonly blockTime: string;
    readonly transactionHash: Hex;
    readonly logIndex: number;
  };
  /** A reorg removed it from the destination chain. */
  readonly orphaned: boolean;
  readonly ingestedAt: string;
  readonly position: string;
}

export interface Feed {
  readonly changes: readonly Change[];
  /** Pass it as after for the next page, also when this one has no changes. */
  readonly nextAfter: string;
  /** The last position there is: the feed is read when nextAfter has come there. */
  readonly headPosition: string;
}

export interface Lane {
  readonly sourceChainSelector: string;
  readonly destChainSelector: string;
  readonly onRamps: readonly {
    readonly address: Hex;
    readonly firstNumber: string;
    readonly highestNumber: string;
    /** The last number before the first gap. */
    readonly contiguousNumber: string;
    /** Numbers in all gaps. */
    readonly missing: string;
    /** Those of the lowest numbers first. */
    readonly gaps: readonly {
      readonly fromNumber: string;
      readonly throughNumber: string;
      /** Ingestion of the first message above it. */
      readonly since: string;
      /** When its messages were last asked for again; null: not yet. */
      readonly askedAt: string | null;
      readonly timesAsked: number;
    }[];
  }[];
  readonly waiting: {
    /** Messages that wait for a verification. */
    readonly messages: number;
    /** Those among them that were given up. */
    readonly timedOut: number;
    readonly byCCV: readonly {
      readonly address: Hex;
      readonly messages: number;
      readonly oldestSentAt: string;
    }[];
  };
  readonly windows: {
    readonly '5m': LaneWindow;
    readonly '1h': LaneWindow;
    readonly '24h': LaneWindow;
  };
}

export interface LaneDetail {
  readonly sourceChainSelector: string;
  readonly destChainSelector: string;
  readonly onRamps: readonly {
    readonly address: Hex;
    readonly firstNumber: string;
    readonly highestNumber: string;
    /** The last number before the first gap. */
    readonly contiguousNumber: string;
    /** Numbers in all gaps. */
    readonly missing: string;
    /** Those of the lowest numbers first. */
    readonly gaps: readonly {
      readonly fromNumber: string;
      readonly throughNumber: string;
      /** Ingestion of the first message above it. */
      readonly since: string;
      /** When its messages were last asked for again; null: not yet. */
      readonly askedAt: string | null;
      readonly timesAsked: number;
    }[];
  }[];
  readonly waiting: {
    /** Messages that wait for a verification. */
    readonly messages: number;
    /** Those among them that were given up. */
    readonly timedOut: number;
    readonly byCCV: readonly {
      readonly address: Hex;
      readonly messages: number;
      readonly oldestSentAt: string;
    }[];
  };
  readonly windows: {
    readonly '5m': LaneWindow;
    readonly '1h': LaneWindow;
    readonly '24h': LaneWindow;
  };
  /** The last 24 hours by five minutes; those without events are left out. */
  readonly series: readonly {
    readonly startsAt: string;
    /** By the time of their block, else of their first ingestion. */
    readonly sent: number;
    /** By the ingestion of the last result that was needed. */
    readonly verified: number;
    /** By the time of the block of a successful execution. */
    readonly executed: number;
    readonly sentToVerified: Durations;
    readonly sentToExecuted: Durations;
  }[];
  readonly position: string;
}

export interface LaneWindow {
  /** By the time of their block, else of their first ingestion. */
  readonly sent: number;
  /** By the ingestion of the last result that was needed. */
  readonly verified: number;
  /** By the time of the block of a successful execution. */
  readonly executed: number;
  readonly sentToVerified: Durations;
  readonly sentToExecuted: Durations;
}

export interface Lanes {
  readonly lanes: readonly Lane[];
  /** Every change up to this position is counted. */
  readonly position: string;
}

export interface Message {
  readonly messageId: Hex;
  readonly sourceChainSelector: string;
  readonly destChainSelector: string;
  readonly messageNumber: string;
  /** processing: verifications are missing; success: all are here; timeout: given up. */
  readonly status: 'processing' | 'timeout' | 'success';
  /** A reorg removed the message from its source chain. */
  readonly orphaned: boolean;
  readonly sender: Hex;
  readonly receiver: Hex;
  readonly onRamp: Hex;
  readonly offRamp: Hex;
  readonly executor: Hex;
  /** The CCVs that must attest, as the source chain names them. */
  readonly ccvs: readonly Hex[];
  readonly finality: {
    /** The four bytes as a number. */
    readonly value: number;
    /** The depth that the sender asks to be waited for. */
    readonly kind: 'finalized' | 'safe' | 'depth';
    /** Blocks on top of its own; null unless kind is depth. */
    readonly depth: number | null;
  };
  readonly executionGasLimit: number;
  readonly ccipReceiveGasLimit: number;
  readonly ccvAndExecutorHash: Hex;
  readonly tokenTransfer: {
    readonly amount: string;
    readonly sourceToken: Hex;
    readonly sourcePool: Hex;
    readonly destToken: Hex;
    readonly receiver: Hex;
    readonly extraData: Hex;
  } | null;
  readonly data: Hex;
  readonly destBlob: Hex;
  /** The canonical bytes: keccak256 of them is the message id. */
  readonly encodedMessage: Hex;
  /** The log on the source chain; null when it was not read from there. */
  readonly origin: {
    readonly blockNumber: string;
    readonly blockHash: Hex;
    readonly blockTime: string;
    readonly transactionHash: Hex;
    readonly logIndex: number;
  } | null;
  readonly ingestedAt: string;
  /** Of the first record that was ever stored for the message. */
  readonly firstIngestedAt: string;
  /** Position of its last change in the feed. */
  readonly position: string;
}

export interface MessageDetail {
  readonly messageId: Hex;
  readonly sourceChainSelector: string;
  readonly destChainSelector: string;
  readonly messageNumber: string;
  /** processing: verifications are missing; success: all are here; timeout: given up. */
  readonly status: 'processing' | 'timeout' | 'success';
  /** A reorg removed the message from its source chain. */
  readonly orphaned: boolean;
  readonly sender: Hex;
  readonly receiver: Hex;
  readonly onRamp: Hex;
  readonly offRamp: Hex;
  readonly executor: Hex;
  /** The CCVs that must attest, as the source chain names them. */
  readonly ccvs: readonly Hex[];
  readonly finality: {
    /** The four bytes as a number. */
    readonly value: number;
    /** The depth that the sender asks to be waited for. */
    readonly kind: 'finalized' | 'safe' | 'depth';
    /** Blocks on top of its own; null unless kind is depth. */
    readonly depth: number | null;
  };
  readonly executionGasLimit: number;
  readonly ccipReceiveGasLimit: number;
  readonly ccvAndExecutorHash: Hex;
  readonly tokenTransfer: {
    readonly amount: string;
    readonly sourceToken: Hex;
    readonly sourcePool: Hex;
    readonly destToken: Hex;
    readonly receiver: Hex;
    readonly extraData: Hex;
  } | null;
  readonly data: Hex;
  readonly destBlob: Hex;
  /** The canonical bytes: keccak256 of them is the message id. */
  readonly encodedMessage: Hex;
  /** The log on the source chain; null when it was not read from there. */
  readonly origin: {
    readonly blockNumber: string;
    readonly blockHash: Hex;
    readonly blockTime: string;
    readonly transactionHash: Hex;
    readonly logIndex: number;
  } | null;
  readonly ingestedAt: string;
  /** Of the first record that was ever stored for the message. */
  readonly firstIngestedAt: string;
  /** Position of its last change in the feed. */
  readonly position: string;
  readonly requiredCCVs: readonly {
    readonly address: Hex;
    readonly verifications: readonly Verification[];
    /**
     * Why there is none: still waited for, given up, the message was removed, or no configured verifier answers for
     * the CCV; null when there is one.
     */
    readonly missing: 'waiting' | 'timeout' | 'orphaned' | 'no-verifier' | null;
  }[];
  /** Those of verifiers that the message does not name. */
  readonly otherVerifications: readonly Verification[];
  /** In the order of the destination chain. */
  readonly executions: readonly Execution[];
  /** That sent it (null: not known), and those of its executions that stand, each once. */
  readonly transactions: {
    readonly source: Hex | null;
    readonly destination: readonly Hex[];
  };
}

export interface Messages {
  readonly messages: readonly Message[];
  /** Pass it as cursor for the next page, also after a page that is shorter than its limit; null: the end. */
  readonly nextCursor: string | null;
  /** The state that the page shows: every change up to this position. */
  readonly position: string;
}

export interface Stats {
  /** Every change up to this position is counted. */
  readonly position: string;
  readonly messages: {
    /** Those that lists show. */
    readonly total: string;
    /** A verification is waited for. */
    readonly processing: string;
    /** Verified. */
    readonly success: string;
    /** Given up. */
    readonly timeout: string;
    /** A reorg removed them, and they have not come back; counted up to 100 000. */
    readonly orphaned: string;
  };
  readonly verifications: {
    /** Counted at most 10 s before. */
    readonly total: string;
  };
  readonly executions: {
    readonly total: string;
    readonly success: string;
    readonly failure: string;
  };
  readonly lanes: number;
  readonly gaps: number;
  /** The events of all lanes. */
  readonly windows: {
    readonly '5m': LaneWindow;
    readonly '1h': LaneWindow;
    readonly '24h': LaneWindow;
  };
}

export interface Transaction {
  readonly transactionHash: Hex;
  /** Sent in it, by log index. */
  readonly messages: readonly Message[];
  /** Made in it, by log index. */
  readonly executions: readonly {
    readonly messageId: Hex;
    readonly sourceChainSelector: string;
    readonly destChainSelector: string;
    /** failure is not final. */
    readonly state: 'untouched' | 'in-progress' | 'success' | 'failure';
    readonly returnData: Hex;
    readonly messageNumber: string;
    readonly offRamp: Hex;
    readonly place: {
      readonly blockNumber: string;
      readonly blockHash: Hex;
      readonly blockTime: string;
      readonly transactionHash: Hex;
      readonly logIndex: number;
    };
    /** A reorg removed it from the destination chain. */
    readonly orphaned: boolean;
    readonly ingestedAt: string;
    readonly position: string;
    /** Null: not known, as where its source chain is not read. */
    readonly message: Message | null;
  }[];
  /** The state that is shown: every change up to this position. */
  readonly position: string;
}

export interface Verification {
  readonly verifierSourceAddress: Hex;
  readonly verifierDestAddress: Hex;
  /** The configured reader that brought it. */
  readonly verifierName: string;
  readonly ccvData: Hex;
  /** As the verifier says. */
  readonly attestedAt: string;
  readonly ingestedAt: string;
  /** Whether the destination chain would take its signatures; null: not judged. */
  readonly verdict: {
    readonly verdict: 'valid' | 'invalid' | 'unsupported';
    /** Block of the destination chain whose configuration it was judged by. */
    readonly configBlock: string;
  } | null;
  readonly orphaned: boolean;
  readonly position: string;
}

export interface Verifier {
  readonly name: string;
  /** The CCVs on their source chain that it answers for. */
  readonly addresses: readonly Hex[];
  /** Results that were stored. */
  readonly answered: {
    readonly '5m': number;
    readonly '1h': number;
    readonly '24h': number;
  };
  /** From the first ingestion of a message to that of the result. */
  readonly latency: {
    readonly '5m': Durations;
    readonly '1h': Durations;
    readonly '24h': Durations;
  };
  /** Messages that miss the result of one of its CCVs. */
  readonly waiting: number;
  /** When the oldest of them was sent. */
  readonly oldestWaitingAt: string | null;
  /** The processes that ask it. */
  readonly workers: readonly {
    readonly worker: string;
    /** open: it failed too often and is left alone. */
    readonly breaker: 'closed' | 'open' | 'half-open';
    /** Requests that failed since the last that did not. */
    readonly failures: number;
    /** When the worker said so. */
    readonly seenAt: string;
  }[];
}

export interface Verifiers {
  /** Those that the workers are configured with. */
  readonly verifiers: readonly Verifier[];
  /** Every change up to this position is counted. */
  readonly position: string;
}

/** The routes: parameters of the path and of the query, and the answer. */
export interface Routes {
  /** Messages by ingestion time, newest or oldest first, by sender, receiver, token, lane, number and status. */
  '/v2/messages': {
    readonly path: Record<never, never>;
    readonly query: {
      /** Only of these senders. 20 bytes name the address padded to 32 bytes as well. Separated by commas. */
      readonly sender?: readonly string[] | undefined;
      /** Only to these receivers. Separated by commas. */
      readonly receiver?: readonly string[] | undefined;
      /**
       * Only with a transfer of these tokens of the source chain. 20 bytes name the address padded to 32 bytes as
       * well. Separated by commas.
       */
      readonly token?: readonly string[] | undefined;
      /** Only these source chains, separated by commas. Absent or empty: all. */
      readonly source?: readonly string[] | undefined;
      /** Only these destination chains, separated by commas. Absent or empty: all. */
      readonly dest?: readonly string[] | undefined;
      /** Lowest message number. */
      readonly fromNumber?: string | undefined;
      /** Highest message number. */
      readonly throughNumber?: string | undefined;
      /** Only messages of these statuses, separated by commas. */
      readonly status?: readonly ('processing' | 'timeout' | 'success')[] | undefined;
      /** First ingestion time, inclusive: RFC 3339 or unix milliseconds. Absent or empty: 0. */
      readonly start?: string | undefined;
      /**
       * Last ingestion time, inclusive: RFC 3339 or unix milliseconds. Absent or empty: everything stored until now.
       */
      readonly end?: string | undefined;
      /** Which messages come first, by ingestion time. Absent or empty: newest. */
      readonly order?: 'newest' | 'oldest' | undefined;
      /**
       * true: only messages at or below the contiguous number of their OnRamp, so that none below them is missing.
       */
      readonly contiguous?: 'true' | 'false' | undefined;
      /** nextCursor of the page before; the other parameters must be the same. */
      readonly cursor?: string | undefined;
      /** Most messages in the answer. */
      readonly limit?: number | undefined;
    };
    readonly answer: Messages;
  };
  /** One message with its verifications and executions, also one that a reorg removed. */
  '/v2/messages/{messageID}': {
    readonly path: {
      /** Up to 32 bytes of hex, with or without 0x; fewer are padded on the left. */
      readonly messageID: string;
    };
    readonly query: Record<never, never>;
    readonly answer: MessageDetail;
  };
  /** The messages that a transaction sent and the executions that it made. */
  '/v2/transactions/{transactionHash}': {
    readonly path: {
      /** Hash of a transaction of any chain: hex, with or without 0x. */
      readonly transactionHash: string;
    };
    readonly query: Record<never, never>;
    readonly answer: Transaction;
  };
  /** Verifiers: their answers and latency, the messages that wait for them, their breakers at each worker. */
  '/v2/verifiers': {
    readonly path: Record<never, never>;
    readonly query: Record<never, never>;
    readonly answer: Verifiers;
  };
  /** Totals of messages, verifications, executions, lanes and gaps, and the events of all lanes. */
  '/v2/stats': {
    readonly path: Record<never, never>;
    readonly query: Record<never, never>;
    readonly answer: Stats;
  };
  /** Lanes: highest and contiguous message number, gaps, messages that wait, and times to the next step. */
  '/v2/lanes': {
    readonly path: Record<never, never>;
    readonly query: {
      /** Only these source chains, separated by commas. Absent or empty: all. */
      readonly source?: readonly string[] | undefined;
      /** Only these destination chains, separated by commas. Absent or empty: all. */
      readonly dest?: readonly string[] | undefined;
    };
    readonly answer: Lanes;
  };
  /** One lane, with its last day by five minutes. */
  '/v2/lanes/{lane}': {
    readonly path: {
      /** Source and destination selector, as source-dest. */
      readonly lane: string;
    };
    readonly query: Record<never, never>;
    readonly answer: LaneDetail;
  };
  /** Changes by position: a page, or with Accept: text/event-stream server-sent events, resumed by Last-Event-ID. */
  '/v2/feed': {
    readonly path: Record<never, never>;
    readonly query: {
      /** Only changes after this position. Absent: from the beginning for a page, from now on for events. */
      readonly after?: string | undefined;
      /** Only changes of these kinds, separated by commas. Absent or empty: all. */
      readonly kinds?: readonly ('message' | 'verifierResult' | 'execution')[] | undefined;
      /** Only changes of these lanes, each as source-dest, separated by commas. Absent or empty: all. */
      readonly lanes?: readonly string[] | undefined;
      /** Number of the reader in its group, from 0: it gets the lanes whose hash, modulo size, is this. */
      readonly member?: number | undefined;
      /** Readers of the group. */
      readonly size?: number | undefined;
      /** Most changes of a page. */
      readonly limit?: number | undefined;
    };
    readonly answer: Feed;
  };
}
