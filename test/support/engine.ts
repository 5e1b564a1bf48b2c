/** What ./global-setup made ready for the tests of the engine. Starts nothing. */
import { readFileSync } from 'node:fs';
import type { WorkflowBundle } from '@temporalio/worker';

export const ENGINE_VARIABLE = 'COUNTERSIGN_TEST_ENGINE';
export const BUNDLE_VARIABLE = 'COUNTERSIGN_TEST_BUNDLE';

function given(variable: string): string {
  const value = process.env[variable];
  if (value === undefined) throw new Error(`${variable} is not set: only tests of the project "engine" in jest.config.cjs have an engine`);
  return value;
}

/** Where the shared development server is, as host:port. Use a task queue of your own. */
export const engineAddress = (): string => given(ENGINE_VARIABLE);

/** The product's workflows, bundled once for the whole run. */
export const workflowBundle = (): WorkflowBundle => ({ code: readFileSync(given(BUNDLE_VARIABLE), 'utf8') });
