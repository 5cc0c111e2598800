/** Writes the types of the client, from the OpenAPI document. */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createOpenApiDocument } from '../../src/api/routes/openapi.js';
import { VERSIONS } from '../../src/api/server/versions.js';
import { clientTypes, type TypedDocument } from './client-types.js';

const document = createOpenApiDocument('', VERSIONS, []) as unknown as TypedDocument;
writeFileSync(resolve(import.meta.dirname, '../../src/client/routes.ts'), clientTypes(document));
