import { createCommon } from '../../../src/core/common.js';
import { createDirectoryObjectStore } from '../../../src/storage/cold/object-store/directory/directory-store.js';
import { describeObjectStore } from '../../contract/object-store-contract.js';
import { createTestDirectoryStore } from '../../support/s3/object-store.js';

describeObjectStore('directory', async () => {
  const { store, directory, remove } = await createTestDirectoryStore();
  return { store, other: createDirectoryObjectStore({ directory, common: createCommon() }), remove };
});
