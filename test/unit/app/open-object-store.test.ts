import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { openObjectStore } from '../../../src/app/open-object-store.js';
import type { S3Section } from '../../../src/config/schema/s3-schema.js';
import { createCommon } from '../../../src/core/common.js';
import { e2eDirectory } from '../../support/e2e/service.js';

const directory = e2eDirectory();
afterEach(() => {
  vi.restoreAllMocks();
  directory.remove();
});

it('promise 8: a directory is refused on Windows, where a power cut could lose what was pruned from the database', async () => {
  const Directory = join(directory.path, 'cold');
  const { check } = openObjectStore('cold', { Directory } as S3Section, createCommon());
  vi.spyOn(process, 'platform', 'get').mockReturnValue('win32');
  await expect(check()).rejects.toThrow(expect.objectContaining({ code: 'COLD_STORE_REFUSED' }));
  expect(existsSync(Directory)).toBe(false);
});
