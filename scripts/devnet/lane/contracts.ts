import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Abi } from 'viem';
import { type Hex, isHex } from '../../../src/core/hex.js';
import { DevnetPackageMissingError } from '../anvil/devnet-errors.js';

/** A contract that can be deployed. */
export interface ContractArtifact {
  readonly name: ContractName;
  readonly abi: Abi;
  readonly bytecode: Hex;
}

/**
 * Contracts of the devnet and the folder of the package that each is taken from: the audited 2.0.0 build where there
 * is one, else the current build of a contract that 2.0.0 uses unchanged.
 */
const VERSIONS = {
  rmn: 'v2_0_0',
  rmn_proxy_contract: 'latest',
  cross_chain_token: 'v2_0_0',
  router: 'latest',
  token_admin_registry: 'latest',
  fee_quoter: 'v2_0_0',
  executor: 'v2_0_0',
  proxy: 'v2_0_0',
  committee_verifier: 'v2_0_0',
  versioned_verifier_resolver: 'v2_0_0',
  onramp: 'v2_0_0',
  offramp: 'v2_0_0',
  burn_mint_token_pool: 'v2_0_0',
  log_message_data_receiver: 'v2_0_0',
  maybe_revert_message_receiver: 'v2_0_0',
  mock_receiver_v2: 'v2_0_0',
} as const;

/** Name of a contract's files in the package. */
export type ContractName = keyof typeof VERSIONS;

/** Loads contracts by name, each read from disk once. */
export interface ContractLibrary {
  /** @throws DevnetPackageMissingError when the package, or this contract in it, is not there. */
  artifact(name: ContractName): ContractArtifact;
}

const PACKAGE = '@chainlink/contracts-ccip';

/**
 * The real CCIP contracts, from the npm package that is installed. It is licensed BUSL-1.1: a development dependency,
 * read at run time for a local chain and tests, never shipped with this project.
 */
export function createContractLibrary(resolvePackage: () => string = packageRoot): ContractLibrary {
  const loaded = new Map<ContractName, ContractArtifact>();
  return {
    artifact(name) {
      const known = loaded.get(name);
      if (known) return known;
      const artifact = loadArtifact(name, resolvePackage);
      loaded.set(name, artifact);
      return artifact;
    },
  };
}

function packageRoot(): string {
  return dirname(createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`));
}

function loadArtifact(name: ContractName, resolvePackage: () => string): ContractArtifact {
  const version = VERSIONS[name];
  try {
    const root = resolvePackage();
    const text = readFileSync(join(root, 'bytecode', version, `${name}.bin`), 'utf8').trim();
    const bytecode = text.startsWith('0x') ? text : `0x${text}`;
    if (!isHex(bytecode)) throw new RangeError(`the bytecode of ${name} is not hex`);
    const abi = JSON.parse(readFileSync(join(root, 'abi', version, `${name}.json`), 'utf8')) as Abi;
    return { name, abi, bytecode };
  } catch (cause) {
    const nextStep =
      'run `npm ci` in a checkout of this project, dev dependencies included; only the local chains need it';
    throw new DevnetPackageMissingError(PACKAGE, nextStep, { cause, details: { contract: name, version } });
  }
}
