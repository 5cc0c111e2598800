import { type FastifyInstance, fastify } from 'fastify';
import type { Common } from '../../../src/core/common.js';
import { InvalidArgumentError } from '../../../src/core/errors.js';
import { bytesToHex, type Hex, isHex } from '../../../src/core/hex.js';
import { messageJson } from '../../../src/protocol/message-json.js';
import type { VerifierResult } from '../../../src/protocol/records.js';
import { signCommitteeProof } from '../../../src/protocol/signatures.js';
import { startAggregatorServer } from '../aggregator/aggregator-server.js';
import type { SentLog } from './events.js';
import { type FinalMessageWatcher, watchFinalMessages } from './final-messages.js';
import { type DevnetCredentials, devnetCredentials, devnetKey } from './keys.js';
import type { ChainDeployment, CommitteeDeployment, DevnetChain, LaneDeployment } from './lane-deployment.js';
import { openSignedResults } from './signed-results.js';

/** The aggregator of a committee, and how its one client signs requests. */
export interface CommitteeAggregator extends DevnetCredentials {
  /** `host:port`, without TLS. */
  readonly address: string;
  /** The CCV's address on each source chain whose results are here. Lower-case hex. */
  readonly issuerAddresses: readonly Hex[];
}

/** A running committee: a REST verifier as the indexer meets them (`src/protocol/README.md`), and an aggregator. */
export interface CommitteeVerifier {
  /** Base URL: verifications are at `{url}/verifications`. */
  readonly url: string;
  readonly name: string;
  /** The CCV's address on each source chain, for `IssuerAddresses` of an indexer. Lower-case hex. */
  readonly issuerAddresses: readonly Hex[];
  /** Null when REST has the results of all source chains. */
  readonly aggregator: CommitteeAggregator | null;
  /** Messages signed so far, in earlier starts too. */
  signedCount(): number;
  /** Stops watching and answering. Idempotent. */
  close(): Promise<void>;
}

/** Dependencies of a committee. */
export interface CommitteeVerifierOptions {
  readonly common: Common;
  readonly deployment: LaneDeployment;
  readonly chains: readonly DevnetChain[];
  /** Which committee of the deployment. */
  readonly committee: string;
  /** On 127.0.0.1. Defaults to a free one. */
  readonly port?: number;
  /** How often the source chains are read. Defaults to 250 ms. */
  readonly pollMs?: number;
  /** Results of messages from these chains are at an aggregator, in place of REST. Default: of none. */
  readonly aggregated?: {
    /** Names of chains. */
    readonly sources: readonly string[];
    /** On 127.0.0.1. Defaults to a free one. */
    readonly port?: number;
  };
  /** Where results are kept: the next start gives them with their times and sequences. Default: nowhere. */
  readonly resultsFile?: string;
}

/** One result, ready to be sent: the chain never changes it again. */
type ResultJson = string;

const DEFAULT_POLL_MS = 250;
/** Room for a few hundred message ids in a URL. */
const MAX_HEADER_BYTES = 256 * 1024;

/**
 * Starts a committee: it watches both source chains by itself, waits for the finality of each message, signs messages
 * that name its CCV with as many of its keys as the threshold asks, and answers for no other. A message is signed once.
 * @throws InvalidArgumentError for a committee or chain that the deployment does not have.
 */
export async function createCommitteeVerifier(options: CommitteeVerifierOptions): Promise<CommitteeVerifier> {
  const { common, deployment, chains, pollMs = DEFAULT_POLL_MS, aggregated, resultsFile = null } = options;
  const committee = deployment.committees.find(({ name }) => name === options.committee);
  if (!committee) throw new InvalidArgumentError(`the deployment has no committee '${options.committee}'`);
  const isAggregated = (chain: ChainDeployment) => aggregated?.sources.includes(chain.name) === true;
  const issuersOf = (sources: readonly ChainDeployment[]) => sources.map((chain) => ccvOf(chain, committee));
  const results = openSignedResults(resultsFile);
  const signed = new Set<Hex>();
  const answers = new Map<Hex, ResultJson>();
  const credentials = devnetCredentials(committee.name);
  const aggregator = aggregated
    ? await startAggregatorServer({
        clients: new Map([[credentials.apiKey, credentials.secret]]),
        nowMs: () => common.clock.nowMs(),
        keepRequests: false,
        ...(aggregated.port === undefined ? {} : { port: aggregated.port }),
      })
    : null;
  const aggregatedIssuers = issuersOf(deployment.chains.filter(isAggregated));

  function give(result: VerifierResult): void {
    signed.add(result.messageId);
    if (aggregatedIssuers.includes(result.verifierSourceAddress)) aggregator?.publish(result);
    else answers.set(result.messageId, restJson(result));
  }

  for (const result of results.kept) give(result);
  const server = createServer(answers);
  const url = await server.listen({ host: '127.0.0.1', port: options.port ?? 0 });
  const watchers = deployment.chains.map((source): FinalMessageWatcher => {
    const reached = chains.find(({ chainId }) => chainId === source.chainId);
    if (!reached) throw new InvalidArgumentError(`no URL was given for chain ${source.name}`);
    return watchFinalMessages({
      common,
      url: reached.url,
      onRamp: source.addresses.onRamp,
      startBlock: source.startBlock,
      pollMs,
      async onFinal(message) {
        if (signed.has(message.messageId)) return;
        const result = await verify(common, deployment, committee, source, message);
        if (!result) return;
        results.append(result);
        give(result);
      },
    });
  });
  common.log.debug({ committee: committee.name, url, aggregator: aggregator?.address }, 'committee verifier started');
  return {
    url,
    name: committee.name,
    issuerAddresses: issuersOf(deployment.chains.filter((chain) => !isAggregated(chain))),
    aggregator: aggregator && { address: aggregator.address, issuerAddresses: aggregatedIssuers, ...credentials },
    signedCount: () => signed.size,
    async close() {
      await Promise.all(watchers.map((watcher) => watcher.close()));
      await server.close();
      await aggregator?.close();
    },
  };
}

/** Null when the message does not name this committee's CCV. */
async function verify(
  common: Common,
  deployment: LaneDeployment,
  committee: CommitteeDeployment,
  source: ChainDeployment,
  sent: SentLog,
): Promise<VerifierResult | null> {
  const sourceCcv = ccvOf(source, committee);
  const dest = deployment.chains.find(({ selector }) => BigInt(selector) === sent.message.destChainSelector);
  if (!dest || !sent.ccvAddresses.includes(sourceCcv)) return null;
  const proof = await signCommitteeProof(committee.versionTag, sent.messageId, quorumKeys(committee, sent.messageId));
  return {
    messageId: sent.messageId,
    encodedMessage: sent.encodedMessage,
    messageCCVAddresses: sent.ccvAddresses,
    messageExecutorAddress: sent.executorAddress,
    verifierSourceAddress: sourceCcv,
    verifierDestAddress: ccvOf(dest, committee),
    ccvData: proof,
    attestationMs: common.clock.nowMs(),
    verifierName: committee.name,
  };
}

/** A result as REST verifiers give it. */
function restJson(result: VerifierResult): ResultJson {
  const metadata = {
    timestamp: result.attestationMs,
    verifier_source_address: result.verifierSourceAddress,
    verifier_dest_address: result.verifierDestAddress,
  };
  return (
    `{"message":${messageJson(result.encodedMessage)}` +
    `,"message_ccv_addresses":${JSON.stringify(result.messageCCVAddresses)}` +
    `,"message_executor_address":"${result.messageExecutorAddress}","ccv_data":"${bytesToHex(result.ccvData)}"` +
    `,"metadata":${JSON.stringify(metadata)}}`
  );
}

/** As many signers as the threshold asks, a different choice for different messages, always the same for one. */
function quorumKeys(committee: CommitteeDeployment, messageId: Hex): Hex[] {
  const size = committee.signers.length;
  const first = Number.parseInt(messageId.slice(-4), 16) % size;
  return Array.from({ length: committee.threshold }, (_, index) =>
    devnetKey(`committee ${committee.name} signer ${((first + index) % size) + 1}`),
  );
}

function ccvOf(chain: ChainDeployment, committee: CommitteeDeployment): Hex {
  const address = chain.addresses.ccvs[committee.name];
  if (address === undefined)
    throw new InvalidArgumentError(`chain ${chain.name} has no CCV of committee '${committee.name}'`);
  return address;
}

function createServer(answers: ReadonlyMap<Hex, ResultJson>): FastifyInstance {
  const server = fastify({ http: { maxHeaderSize: MAX_HEADER_BYTES }, forceCloseConnections: true });
  server.get('/verifications', (request, reply) => {
    const { messageID = [] } = request.query as { messageID?: string | string[] };
    const ids = (Array.isArray(messageID) ? messageID : [messageID]).map((id) => id.toLowerCase());
    if (ids.length === 0 || !ids.every((id) => isHex(id) && id.length === 66)) {
      return reply.code(400).send({ results: [], errors: ['messageID: pass one or more ids of 32 bytes in hex'] });
    }
    const found = ids.map((id) => answers.get(id as Hex) ?? 'null');
    const known = found.some((result) => result !== 'null');
    return reply
      .code(known ? 200 : 404)
      .type('application/json')
      .send(`{"results":[${known ? found.join(',') : ''}],"errors":[]}`);
  });
  return server;
}
