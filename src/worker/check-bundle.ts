/**
 * Looks into a workflow bundle for the workflow types a sensor needs.
 *
 * A missing type would fail workflow tasks for ever without anyone noticing; here it is an error when the worker
 * starts. The bundle is evaluated the way the worker does it, in a context of its own, which takes milliseconds.
 */
import assert from 'node:assert';
import { AsyncLocalStorage } from 'node:async_hooks';
import { createContext, runInContext } from 'node:vm';
import { DefinitionError } from '../sensors/errors.js';
import type { JobDefinition } from '../sensors/define-job.js';
import {
  ASSET_LOG_TYPE,
  BACKFILL_TYPE,
  LOOP_MARK,
  LOOP_TYPE,
  PAGE_TYPE,
  PARTITIONS_TYPE,
} from '../sensors/protocol.js';

/**
 * @param jobs the jobs whose runs this worker's task queue executes
 * @throws {@link DefinitionError} when the loop or a job is missing from the bundle, or shadowed
 */
export function checkBundle(code: string, jobs: Iterable<JobDefinition>): void {
  const exports = importWorkflows(code);
  const loop = exports[LOOP_TYPE];
  if (loop === undefined) {
    throw new DefinitionError(
      `the workflow bundle has no '${LOOP_TYPE}': add this line to your workflow module (the file of workflowsPath):\n` +
        `  export * from 'temporal-sensors/workflows';\n` +
        `If the line is there, another 'export *' of the module exports the same name, which drops both.`
    );
  }
  if (typeof loop !== 'function' || !(LOOP_MARK in loop)) {
    throw new DefinitionError(
      `the workflow module exports a '${LOOP_TYPE}' of its own, which shadows the one of temporal-sensors; rename it`
    );
  }
  for (const type of [PAGE_TYPE, PARTITIONS_TYPE, ASSET_LOG_TYPE, BACKFILL_TYPE]) {
    if (typeof exports[type] === 'function') continue;
    throw new DefinitionError(
      `the workflow bundle has '${LOOP_TYPE}' but no '${type}': export everything, with export * from 'temporal-sensors/workflows'`
    );
  }
  for (const { name } of jobs) {
    if (typeof exports[name] !== 'function' && typeof exports['default'] !== 'function') {
      throw new DefinitionError(
        `the workflow bundle has no workflow '${name}', but a job of that name is defined: export the workflow function from ` +
          `your workflow module, or give the job the taskQueue of the worker that has it`
      );
    }
  }
}

function importWorkflows(code: string): Record<string, unknown> {
  // the globals that the worker gives to workflow code
  const sandbox: Record<string, unknown> = {
    __webpack_module_cache__: {},
    AbortController,
    assert,
    AsyncLocalStorage,
    console,
    TextDecoder,
    TextEncoder,
    URL,
    URLSearchParams,
  };
  runInContext(code, createContext(sandbox), { timeout: 30_000 });
  const library = sandbox['__TEMPORAL__'] as { importWorkflows: () => Record<string, unknown> } | undefined;
  if (library === undefined) throw new DefinitionError('the workflow bundle was not made by the Temporal bundler');
  return library.importWorkflows();
}
