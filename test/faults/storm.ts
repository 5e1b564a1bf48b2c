/**
 * A storm: requests that two people race over, one with a yes and one with a no, while parts of the tree are killed. When and what is killed
 * follows from a seed, and is measured in progress (lines that agents and people have on the disk), never in time; so a seed replays on any
 * machine. Afterwards the storm waits until nothing is open or owed, and the judge compares everything.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { OPEN_STATES } from '../../domain/outcome';
import type { Chance } from '../support/chance';
import { shuffled } from '../support/chance';
import { violations, type AgentLine, type Evidence, type PersonLine, type ReceiverLine } from '../support/checker';
import { collect } from '../support/oracle';
import { refund } from '../support/requests';
import { readJournal } from './journal';
import { agentsJournal, openOutsiders, peopleJournal, receiverJournal, type Choice, type Outsiders } from './outsiders';
import { TARGETS, type Target, type Tree } from './tree';
import { leftOf, waitsOf, type Wait } from './waits';

export interface Kill {
  /** Lines on the disk before it. */
  readonly at: number;
  readonly target: Target;
  readonly alsoChildren: boolean;
}

/** Asks, is told so, two people move, both are told. Those with a chain write more. */
const LINES_EACH = 6;
/** Every so many requests want two sign-offs, one after the other. */
const CHAIN_EVERY = 4;

/** So many kills over the work of so many requests: all targets alike, in an order and at moments of chance. */
export function schedule(next: Chance, kills: number, requests: number): Kill[] {
  const lines = requests * LINES_EACH;
  const moments = Array.from({ length: kills }, () => Math.floor(lines * (0.02 + 0.94 * next()))).sort((a, b) => a - b);
  const targets = shuffled(
    Array.from({ length: kills }, (_, i) => TARGETS[i % TARGETS.length] as Target),
    next,
  );
  return moments.map((at, i) => ({ at, target: targets[i] as Target, alsoChildren: next() < 0.5 }));
}

export interface Round {
  readonly tenant: string;
  readonly requests: number;
  /** Requests under way at a time. */
  readonly inFlight: number;
  readonly kills: readonly Kill[];
  /** How long it may take until nothing is open or owed, in milliseconds after the last restart and answer. */
  readonly settleMs: number;
  /** Asked before each request and each kill; true ends the storm early: what was begun is finished and judged. */
  readonly enough?: () => boolean;
  /** Told of each kill and each step, with milliseconds since the begin. */
  readonly say?: (line: string) => void;
}

export interface Weathered {
  readonly evidence: Evidence;
  readonly violations: readonly string[];
  readonly asked: number;
  readonly kills: number;
  /** Milliseconds from the last restart until what had been asked before it was neither open nor owed, while more was asked. */
  readonly restoredMs: number;
  /** What that waited for, each wait once, from the last restart on. */
  readonly waits: readonly Wait[];
  readonly tookMs: number;
}

const CHOICES: readonly Choice[] = [
  { person: 'fay', move: 'approve' },
  { person: 'finn', move: 'deny' },
];
const SECOND: readonly Choice[] = [
  { person: 'cleo', move: 'approve' },
  { person: 'carl', move: 'deny' },
];

/** Asks and decides; tells the approval's id as soon as it is known. */
async function one(outsiders: Outsiders, tenant: string, callbackUrl: string, n: number, tell: (approvalId: string) => void): Promise<void> {
  const chain = n % CHAIN_EVERY === 0;
  const request = refund((chain ? 148_000 : 48_000) + n, { run: `run-${String(n)}`, resume: { type: 'callback', url: callbackUrl } });
  const asked = await outsiders.ask(`${tenant}-${String(n)}`, request);
  tell(asked.approvalId);
  const state = await outsiders.race(asked, CHOICES);
  if (OPEN_STATES.some((open) => open === state)) await outsiders.race(asked, SECOND);
}

export async function weather(tree: Tree, round: Round): Promise<Weathered> {
  const { tenant, requests, inFlight, kills, settleMs, enough = () => false, say = () => undefined } = round;
  const { agentKey, callbackUrl } = await tree.openTenant(tenant);
  const outsiders = openOutsiders({ dir: tree.dir, tenant, agentKey, apiUrl: tree.apiUrl });
  const started = performance.now();
  let [asked, killed, restarted, done] = [0, 0, started, false];
  const asking = new Map<number, string>();
  let before: readonly number[] = [];
  const working = async (): Promise<void> => {
    while (asked < requests && !enough()) {
      asked += 1;
      const n = asked;
      asking.set(n, '');
      await one(outsiders, tenant, callbackUrl, n, (approvalId) => asking.set(n, approvalId));
    }
  };
  const killing = async (): Promise<void> => {
    for (const { at, target, alsoChildren } of kills) {
      while (outsiders.progress() < at && !done) await sleep(20);
      if (done || enough()) return;
      const began = performance.now();
      await tree.kill(target, alsoChildren);
      say(`${String(outsiders.progress())} lines: ${target} killed, and back after ${String(Math.round(performance.now() - began))} ms`);
      killed += 1;
      restarted = performance.now();
      before = [...asking.keys()];
    }
  };
  const work = Promise.all(Array.from({ length: inFlight }, working)).finally(() => (done = true));
  const idsBefore = (): readonly string[] => before.map((n) => asking.get(n) ?? '');
  const watching = killing().then(() => restored(tree, tenant, idsBefore, settleMs, say));
  const [{ at, waits }] = await Promise.all([watching, work]);
  say('everybody has been answered');
  const late = await settled(tree, tenant, settleMs);
  say('nothing is open or owed');
  outsiders.close();
  const evidence = await gather(tree, tenant);
  const told = [...late, ...violations(evidence)];
  return { evidence, violations: told, asked, kills: killed, restoredMs: at - restarted, waits, tookMs: performance.now() - started };
}

/** How often it is looked at what is left, and how often at what that waits for, in milliseconds. */
const LOOK_MS = { left: 200, waits: 1_000 };

/** Waits until what was asked before the last restart is acknowledged and settled, and notes what it waits for. */
async function restored(
  tree: Tree,
  tenant: string,
  idsBefore: () => readonly string[],
  withinMs: number,
  say: (line: string) => void,
): Promise<{ readonly at: number; readonly waits: readonly Wait[] }> {
  const began = Date.now();
  const waits = new Map<string, Wait>();
  const settledBefore = new Set<string>();
  for (let looked = 0; ; await sleep(LOOK_MS.left)) {
    const ids = idsBefore();
    const open = ids.filter((id) => id !== '' && !settledBefore.has(id));
    const left = await leftOf({ ...tree, tenant }, open);
    const still = new Set(left.map(({ approvalId }) => approvalId));
    for (const id of open) if (!still.has(id)) settledBefore.add(id);
    if (settledBefore.size === ids.length || Date.now() > began + withinMs) return { at: performance.now(), waits: [...waits.values()] };
    if (Date.now() < looked + LOOK_MS.waits) continue;
    looked = Date.now();
    const now = await waitsOf({ ...tree, tenant }, left);
    for (const wait of now) waits.set(wait.id, { ...wait, since: Math.max(began, waits.get(wait.id)?.since ?? wait.since) });
    say(`${String(ids.length - settledBefore.size)} of ${String(ids.length)} left, which wait for ${counted(now)}`);
  }
}

const counted = (waits: readonly Wait[]): string => {
  const counts = new Map<string, number>();
  for (const { what } of waits) counts.set(what, (counts.get(what) ?? 0) + 1);
  return [...counts].map(([what, n]) => `${what} (${String(n)})`).join(', ') || 'people';
};

/** The longest that any of these lasts by its own limit, in milliseconds. */
export const longest = (waits: readonly Wait[]): number => Math.max(0, ...waits.flatMap(({ since, until }) => (until === null ? [] : [until - since])));

/** Waits until nothing is open or owed; says what still is when the time is up. */
async function settled({ db }: Tree, tenant: string, withinMs: number): Promise<string[]> {
  const end = Date.now() + withinMs;
  for (;;) {
    const open = await db
      .selectFrom('approvals')
      .select(['approval_id', 'state'])
      .where('tenant', '=', tenant)
      .where('state', 'in', [...OPEN_STATES])
      .limit(5)
      .execute();
    const owed = await db
      .selectFrom('deliveries')
      .select(['approval_id', 'kind', 'status', 'last_detail'])
      .where('tenant', '=', tenant)
      .where('status', 'in', ['owed', 'failed_for_now'])
      .limit(5)
      .execute();
    if (open.length + owed.length === 0) return [];
    if (Date.now() > end) return [`not settled after ${String(withinMs)} ms: ${JSON.stringify([...open, ...owed])}`];
    await sleep(100);
  }
}

async function gather(tree: Tree, tenant: string): Promise<Evidence> {
  const receivers = readJournal<ReceiverLine>(receiverJournal(tree.dir, tenant));
  const tokens = receivers.flatMap((line) => (line.wrote === 'acted' ? [line.token] : []));
  return {
    ...(await collect({ ...tree, tenant }, tokens)),
    agents: readJournal<AgentLine>(agentsJournal(tree.dir, tenant)),
    people: readJournal<PersonLine>(peopleJournal(tree.dir, tenant)),
    receivers,
    allReachable: true,
  };
}
