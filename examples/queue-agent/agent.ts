/**
 * An agent that works through a queue over HTTP. What needs a person is put aside as the policy says, and done when the yes is there; its
 * siblings never wait for it. Nothing is done without a token that proves the decision.
 *
 *   COUNTERSIGN_URL=… COUNTERSIGN_KEY=… COUNTERSIGN_TENANT=… COUNTERSIGN_AGENT=… node --import tsx examples/queue-agent/agent.ts queue.json
 */
import { readFileSync } from 'node:fs';
import { createRemoteJWKSet } from 'jose';
import {
  createCountersign,
  follow,
  requireExecutable,
  verifyDecisionToken,
  type ApprovalResult,
  type Countersign,
  type Directive,
  type Execution,
  type RequestDraft,
} from '../../client/sdk';

export interface Item {
  /** Names it for good: asked again under it, it is the same request. */
  readonly key: string;
  readonly request: RequestDraft;
}

/** What became of one item. `parked`: it waits for a person; what then comes of it follows. */
export type Step =
  | { readonly key: string; readonly did: 'parked'; readonly approvalId: string }
  | { readonly key: string; readonly did: 'done' | 'left'; readonly approvalId: string; readonly outcome: ApprovalResult['outcome'] };

export interface QueueOptions {
  readonly countersign: Countersign;
  /** Throws unless the result proves that exactly this may be done now. */
  readonly check: (result: ApprovalResult, item: Item) => Promise<void>;
  /** Does it. */
  readonly perform: (item: Item) => Promise<void>;
  readonly onStep?: (step: Step) => void;
  /** How many items are in hand at a time; what is parked is in nobody's hand. */
  readonly hands?: number;
}

const HANDS = 8;
const ALLOWED: readonly ApprovalResult['outcome'][] = ['allowed', 'approved', 'approved_with_conditions'];

/** Ends when every item is done or left, the parked ones too. */
export async function workQueue(items: readonly Item[], { countersign, check, perform, onStep, hands = HANDS }: QueueOptions): Promise<readonly Step[]> {
  const steps: Step[] = [];
  const say = (step: Step): void => {
    steps.push(step);
    onStep?.(step);
  };

  async function settle(item: Item, result: ApprovalResult): Promise<void> {
    const { approvalId, outcome } = result;
    const allowed = ALLOWED.includes(outcome);
    if (allowed) {
      await check(result, item);
      await perform(item);
    }
    say({ key: item.key, did: allowed ? 'done' : 'left', approvalId, outcome });
  }

  const parked: Promise<void>[] = [];
  let stopped: Promise<unknown> = Promise.resolve();
  const waiting = [...items];

  async function work(): Promise<void> {
    for (let item = waiting.shift(); item !== undefined; item = waiting.shift()) {
      await stopped;
      const mine = item;
      const { approvalId, result, meanwhile } = await countersign.submit(mine.request, { idempotencyKey: mine.key });
      if (result) {
        await settle(mine, result);
        continue;
      }
      say({ key: mine.key, did: 'parked', approvalId });
      const answered = countersign.wait(approvalId).then((end) => settle(mine, end));
      parked.push(answered);
      if (stopsAll(meanwhile)) stopped = answered;
    }
  }

  await Promise.all(Array.from({ length: hands }, work));
  await Promise.all(parked);
  return steps;
}

/**
 * What the queue can do while one of its items waits: put that one aside, or stop. A milder directive, for which it has no way of its own,
 * falls to the next stricter of these.
 */
const stopsAll = (directive: Directive): boolean =>
  follow(directive, {
    park_item: () => false,
    hold_send: () => false,
    freeze_decision: () => false,
    pause_job: () => true,
    block: () => true,
  });

/** Holds the token against the published keys, and what is about to be done against the token. */
export function tokenCheck(url: string, expect: { readonly tenant: string; readonly agent: string }, now = (): Date => new Date()): QueueOptions['check'] {
  const keys = createRemoteJWKSet(new URL('/.well-known/jwks.json', url));
  return async ({ token }, { request: { action } }) => {
    const claims = await verifyDecisionToken(token, keys, { ...expect, now: now() });
    // As it was recorded: what is left out is empty.
    requireExecutable(claims, { action: { data: [], artifacts: [], ...action } as Execution['action'], now: now() });
  };
}

async function main(): Promise<void> {
  const { COUNTERSIGN_URL: url = 'http://localhost:8700', COUNTERSIGN_KEY: key, COUNTERSIGN_TENANT: tenant = 'acme', COUNTERSIGN_AGENT: agent } = process.env;
  const [, , path] = process.argv;
  if (key === undefined || agent === undefined || path === undefined)
    throw new Error('Set COUNTERSIGN_KEY and COUNTERSIGN_AGENT (the key and the name of the agent), and name a file with a list of {key, request}.');
  const items = JSON.parse(readFileSync(path, 'utf8')) as readonly Item[];
  const print = (line: object): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
  await workQueue(items, {
    countersign: createCountersign({ url, key }),
    check: tokenCheck(url, { tenant, agent }),
    perform: (item) => Promise.resolve(print({ performed: item.key })),
    onStep: print,
  });
}

if (require.main === module) {
  main().catch((error: unknown) => {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
}
