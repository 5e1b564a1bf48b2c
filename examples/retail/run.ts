/**
 * `npm run retail`: 180 real actions of a retail agent through the whole system, as an agent would send them, with scripted people
 * who decide by the table in behaviour.ts. Checks plans, ends, callbacks and record of each, and says so in one table.
 *
 *   npm run retail -- [--data ../shared/data/tau2-retail]     or COUNTERSIGN_RETAIL_DATA
 */
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { startAgent } from '../http-agent/agent';
import { door, sleep, timelineOf, type TimelineEntry } from '../support/people';
import { workflowsOf } from '../support/engine';
import { runProgram, unlessAborted, type Say } from '../support/program';
import { ROOT, startStack, type Stack } from '../support/stack';
import { TABLE } from './behaviour';
import { check, expectedOf, type Checked } from './check';
import { startCrew } from './people';
import { isRight, report, type Run } from './report';
import { readActions, toRequest, type RetailAction } from './request';

/** An hour is ten seconds: long beside what a scripted person needs, short beside your patience. */
export const SCALE = 360;
/** So many requests are on their way at once. */
const IN_FLIGHT = 4;
const END_WITHIN_MS = 5 * 60_000;
/** A callback is on the record a moment after the agent accepted it. */
const SETTLE_MS = 30_000;

export const dataFile = (given: string | undefined): string => join(resolve(ROOT, given || '../shared/data/tau2-retail'), 'actions.jsonl');

export async function runRetail(file: string, say: Say, signal?: AbortSignal): Promise<boolean> {
  const actions = readActions(readFileSync(file, 'utf8'));
  say(`${actions.length} actions of a retail agent, sent over HTTP; people answer by the table in examples/retail/behaviour.ts.`);
  say(`Time runs ${SCALE} times faster here: an hour is ${3600 / SCALE} seconds. Only development allows that.`);
  const stack = await startStack({ policy: join(ROOT, 'examples', 'retail', 'policy'), scale: SCALE, say, ...(signal ? { signal } : {}) });
  try {
    const run = await unlessAborted(signal, play(stack, actions, say));
    for (const line of report(run)) say(line);
    if (!isRight(run)) for (const line of stack.complaints()) say(line);
    return isRight(run);
  } finally {
    await stack.stop();
  }
}

async function play(stack: Stack, actions: readonly RetailAction[], say: Say): Promise<Run> {
  const {
    apiUrl,
    agent: { key, secret },
  } = stack;
  const agent = await startAgent({ apiUrl, key, secret, journal: join(stack.dir, 'retail-agent.jsonl') });
  const crew = await startCrew(apiUrl, everyoneInTheTable());
  const began = performance.now();
  try {
    const submitMs: number[] = [];
    const approvals = await inOrder(actions, async (action) => {
      const sent = performance.now();
      const { approvalId } = await agent.submit(toRequest(action, { type: 'callback', url: agent.url }), action.action_id);
      submitMs.push(performance.now() - sent);
      crew.brief(approvalId, expectedOf(action.action_id).behaviour.acts);
      return { actionId: action.action_id, approvalId };
    });
    say(
      `All ${approvals.length} are submitted; ${approvals.length - agent.outcomes().length} wait for a person. The longest silence is over in about ${longest()} seconds.`,
    );
    await Promise.allSettled(approvals.map(({ approvalId }) => agent.waitFor(approvalId, END_WITHIN_MS)));
    const reader = door(apiUrl, key);
    const timelines = new Map<string, readonly TimelineEntry[]>();
    await inOrder(approvals, async ({ approvalId }) => timelines.set(approvalId, await settled(() => timelineOf(reader, approvalId))));
    const journal = agent.entries();
    const checked = approvals.map(({ actionId, approvalId }): Checked => check(actionId, approvalId, timelines.get(approvalId) ?? [], journal));
    const turnedAway = journal.flatMap((entry) => (entry.type === 'turned_away' ? [`The agent turned a callback away: ${entry.why}`] : []));
    return {
      checked,
      submitMs,
      decisionMs: crew.tookMs,
      seconds: (performance.now() - began) / 1000,
      workflows: (await workflowsOf(stack, checked.filter(({ plan }) => plan !== 'allowed').length)).length,
      troubles: [...crew.troubles, ...turnedAway],
      verify: await stack.countersign('record', 'verify'),
    };
  } finally {
    await crew.stop();
    await agent.stop();
  }
}

/** Reads until the callback, if one is owed, has been attempted to its end. */
async function settled(read: () => Promise<readonly TimelineEntry[]>): Promise<readonly TimelineEntry[]> {
  for (const until = Date.now() + SETTLE_MS; ; await sleep(200)) {
    const entries = await read();
    const owed = entries.some(({ event }) => event.type === 'ended' && event.owed.some(({ kind }) => kind === 'callback'));
    const done = entries.some(({ event }) => event.type === 'attempted' && event.kind === 'callback' && event.status !== 'failed_for_now');
    if (!owed || done || Date.now() > until) return entries;
  }
}

/** In the order given, a few at a time; the results in that order too. */
async function inOrder<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let i = next++; i < items.length; i = next++) {
      const item = items[i];
      if (item !== undefined) results[i] = await work(item);
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  return results;
}

const everyoneInTheTable = (): string[] => [
  ...new Set(
    Object.values(TABLE)
      .flat()
      .flatMap(({ acts }) => acts.map(({ who }) => who)),
  ),
];

/** The CFO's eight hours are the longest that anybody is waited for. */
const longest = (): number => Math.ceil((8 * 3600) / SCALE);

if (require.main === module) {
  runProgram(async (say, signal) => {
    const { values } = parseArgs({ options: { data: { type: 'string' } } });
    const file = dataFile(values.data ?? process.env['COUNTERSIGN_RETAIL_DATA']);
    if (!existsSync(file)) throw new Error(`The retail data is not here (${file}): name its folder with --data or COUNTERSIGN_RETAIL_DATA.`);
    return await runRetail(file, say, signal);
  });
}
