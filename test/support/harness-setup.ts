/** Ends what a test began with the harness. Test files share their modules, and this one alone is read again for each. */
import { afterAll, afterEach } from 'vitest';
import { disconnect, endWork } from './harness.js';

afterEach(endWork);
afterAll(disconnect);
