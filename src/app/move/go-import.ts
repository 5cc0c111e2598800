import type { Config } from '../../config/schema/schema.js';
import type { Common } from '../../core/common.js';
import { InvalidArgumentError } from '../../core/errors.js';
import { createGoIndexerImport, type GoIndexerImport } from '../../migration/go-indexer/go-indexer-import.js';
import { createThrottle } from '../../migration/throttle.js';
import type { BackendStorage } from '../../storage/backend-storage.js';
import { limitsOf, migrationOf } from './roles.js';

/** Opens the import from the Go indexer's database that `[Migration.GoIndexer]` names. */
export function openGoImport(config: Config, target: BackendStorage, common: Common): GoIndexerImport {
  const { GoIndexer } = migrationOf(config);
  if (!GoIndexer?.URI) throw new InvalidArgumentError('the configuration has no [Migration.GoIndexer]');
  const names = new Map(
    config.Verifier.flatMap(({ Name, IssuerAddresses }) => IssuerAddresses.map((address) => [address, Name] as const)),
  );
  return createGoIndexerImport({
    source: { connectionString: GoIndexer.URI },
    zone: GoIndexer.TimeZone,
    target,
    discoveries: config.Discoveries.map(({ Name: name, Address: address, Since: since }) => ({ name, address, since })),
    verifierNameOf: (address) => names.get(address) ?? null,
    throttle: createThrottle({ limits: limitsOf(config), clock: common.clock }),
    common,
  });
}
