import { roleFault } from '../../role.js';
import { defineCheck } from '../check.js';

/** Values of the configuration that are surely not meant, as `config check` names them. */
export const configCheck = defineCheck({
  name: 'config',
  about: 'values of the configuration that are surely not meant',
  kinds: {
    'config-invalid': {
      severity: 'critical',
      meaning: 'The configuration cannot be used, so nothing else could be looked at.',
      next: 'correct the key, then run `ccv-indexer config check`',
    },
    'config-warning': {
      severity: 'warning',
      meaning: 'A value of the configuration works and is surely not meant.',
      next: 'correct the key, then run `ccv-indexer config check`',
    },
    'config-role': {
      severity: 'error',
      meaning: 'No command can run as a service with the storage of this configuration.',
      next: '{fault}',
    },
  },
  async run({ config, warnings, found }) {
    for (const { path, message, found: value } of warnings)
      found('config-warning', path, { problem: message, ...(value === undefined ? {} : { value }) });
    const faults = (['both', 'worker', 'api'] as const).map((role) => roleFault(role, config));
    const [fault] = faults;
    if (fault && !faults.includes(null)) found('config-role', 'Storage', { fault });
  },
});
