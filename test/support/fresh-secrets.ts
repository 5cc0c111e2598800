import { secrets } from '../../src/core/masker.js';

// the files of a worker share its modules, and so what the masker of the process knows
secrets.clear();
