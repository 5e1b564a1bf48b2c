/**
 * Every kept history replays against the workflows of today: a deploy breaks no approval that is under way. Recorded by ./record.
 * Needs no engine; it shows too that the check bites.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DefaultLogger, Runtime, Worker, bundleWorkflowCode, type ReplayResult, type WorkflowBundle } from '@temporalio/worker';
import { workflowBundle } from '../support/engine';

const HISTORIES = join(__dirname, 'histories');
const FILES = readdirSync(HISTORIES)
  .filter((name) => name.endsWith('.json'))
  .sort();

interface Kept {
  readonly workflowId: string;
  readonly history: unknown;
}

const kept = (file: string): Kept => JSON.parse(readFileSync(join(HISTORIES, file), 'utf8')) as Kept;

async function replay(bundle: WorkflowBundle, file: string): Promise<ReplayResult> {
  for await (const result of Worker.runReplayHistories({ workflowBundle: bundle }, [kept(file)])) return result;
  throw new Error(`${file} was not replayed`);
}

beforeAll(() => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
});

describe('the workflows of today', () => {
  it.each(FILES)('replay %s', async (file) => {
    expect((await replay(workflowBundle(), file)).error).toBeUndefined();
  });

  it('are held to every kind of life that was recorded', () => {
    expect(FILES.map((name) => name.replace('.json', ''))).toEqual(
      expect.arrayContaining([
        'abandoned',
        'answered',
        'approved',
        'approved-by-signal',
        'approved-by-two',
        'approved-with-conditions',
        'asked-and-answered',
        'callback-later',
        'continued',
        'delivery',
        'delivery-of-a-disabling',
        'delivery-opened-again',
        'denied',
        'expired',
        'glass-broken',
        'handed-back',
        'handed-on-and-passed-up',
        'held-then-denied',
        'invented-start',
        'never-submitted',
        'nudged-many-times',
        'outgrown',
        'overridden',
        'paused-and-disabled',
        'reconcile',
        'reconcile-with-cursor',
        'reset',
        'resolved-anew',
        'resolved-by-person',
        'restarted',
        'side-by-side',
        'side-by-side-held',
        'strange-messages',
        'withdrawn-by-cancel',
        'withdrawn-by-intake',
      ]),
    );
  });
});

describe('the check', () => {
  it('refuses workflows that were changed without a guard', async () => {
    const changed = await bundleWorkflowCode({ workflowsPath: require.resolve('./changed'), logger: new DefaultLogger('ERROR') });
    const { error } = await replay(changed, 'approved.json');
    expect(error?.message).toMatch(/nondeterminism/i);
  });
});

describe('a kept history', () => {
  it.each(FILES)('%s names no machine, path or process', (file) => {
    const text = readFileSync(join(HISTORIES, file), 'utf8');
    expect(text).not.toMatch(/\d+@[a-z0-9.-]+/i);
    expect(text).not.toMatch(/"(?:\/[\w.-]+){2,}"|file:\/\//);
  });
});
