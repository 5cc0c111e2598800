/** How to reach the server: a URI, or the parts of one. */
export type PostgresAddress =
  | { readonly connectionString: string }
  | {
      readonly host: string;
      readonly port: number;
      readonly user: string;
      readonly password?: string;
      readonly database: string;
    };

/** Limits on connections and on their waits. Times in milliseconds, 0 = no limit. */
export interface PoolSettings {
  /** Default 20. */
  readonly maxOpenConnections: number;
  /** Default 5. */
  readonly maxIdleConnections: number;
  /** Default one hour. */
  readonly connMaxLifetimeMs: number;
  /** Default five minutes. */
  readonly connMaxIdleTimeMs: number;
  /** Default one minute. */
  readonly idleInTxSessionTimeoutMs: number;
  /** Default 30 s. */
  readonly lockTimeoutMs: number;
  /** Default one minute. */
  readonly statementTimeoutMs: number;
  /** Also the longest wait for a free connection. Default 5 s. */
  readonly connectTimeoutMs: number;
}

/** The limits where nothing else is configured. */
export const DEFAULT_POOL_SETTINGS: PoolSettings = {
  maxOpenConnections: 20,
  maxIdleConnections: 5,
  connMaxLifetimeMs: 3_600_000,
  connMaxIdleTimeMs: 300_000,
  idleInTxSessionTimeoutMs: 60_000,
  lockTimeoutMs: 30_000,
  statementTimeoutMs: 60_000,
  connectTimeoutMs: 5_000,
};
