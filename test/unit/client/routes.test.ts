import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { clientTypes, type TypedDocument } from '../../../scripts/client/client-types.js';
import { createOpenApiDocument } from '../../../src/api/routes/openapi.js';
import { VERSIONS } from '../../../src/api/server/versions.js';

test('the types of the client are those of the document: `npm run client` makes them anew', () => {
  const document = createOpenApiDocument('', VERSIONS, []) as unknown as TypedDocument;
  expect(readFileSync('src/client/routes.ts', 'utf8')).toBe(clientTypes(document));
});
