import { IndexerError, type IndexerErrorOptions } from '../../../src/core/errors.js';

/** A package that only the local devnet needs is not installed. The message names the installation. */
export class DevnetPackageMissingError extends IndexerError {
  constructor(packageName: string, nextStep: string, options?: IndexerErrorOptions) {
    super('DEVNET_PACKAGE_MISSING', `the package ${packageName} is not installed: ${nextStep}`, false, options);
  }
}

/** A process of the devnet did not start, or ended by itself. `details` holds its exit and the end of its output. */
export class DevnetProcessError extends IndexerError {
  constructor(message: string, options?: IndexerErrorOptions) {
    super('DEVNET_PROCESS_FAILED', message, false, options);
  }
}

/** A transaction of the devnet reverted, or never got a receipt. */
export class DevnetTransactionError extends IndexerError {
  constructor(message: string, options?: IndexerErrorOptions) {
    super('DEVNET_TRANSACTION_FAILED', message, false, options);
  }
}
