/**
 * What `npm run retail` prints at its end. Pure: text from what was found.
 */
import { PLANS, type Checked, type PlanKind } from './check';

export interface Run {
  readonly checked: readonly Checked[];
  /** Approval workflows that were started. */
  readonly workflows: number;
  /** What went wrong beside the actions themselves. */
  readonly troubles: readonly string[];
  readonly verify: { readonly code: number; readonly output: string };
  readonly submitMs: readonly number[];
  readonly decisionMs: readonly number[];
  readonly seconds: number;
}

/** What is not as expected, a sentence each. */
function problemsOf({ checked, workflows, troubles, verify }: Run): string[] {
  const plans = (Object.entries(PLANS) as [PlanKind, number][]).flatMap(([plan, wanted]) => {
    const made = checked.filter(({ planMade }) => planMade === plan).length;
    return made === wanted ? [] : [`${made} plans are "${plan}", not ${wanted}`];
  });
  const waiting = checked.filter(({ plan }) => plan !== 'allowed').length;
  const started = workflows === waiting ? [] : [`${workflows} workflows were started, not ${waiting}`];
  return [
    ...plans,
    ...started,
    ...checked.flatMap(({ problems }) => problems),
    ...troubles,
    ...(verify.code === 0 ? [] : [`countersign record verify: ${verify.output}`]),
  ];
}

export const isRight = (run: Run): boolean => problemsOf(run).length === 0;

export function report(run: Run): string[] {
  const { checked, verify, seconds } = run;
  const problems = problemsOf(run);
  const sum = (of: (row: Checked) => number): number => checked.reduce((total, row) => total + of(row), 0);
  const count = (holds: (row: Checked) => boolean): number => checked.filter(holds).length;
  const made = (plan: PlanKind): number => count(({ planMade }) => planMade === plan);
  const [one, two] = [made('finance, one sign-off'), made('finance, two sign-offs')];
  return [
    '',
    line('plan', 'what the people do', 'must end as', 'did'),
    ...groups(checked).map(([first, rows]) => {
      const right = rows.filter(({ ended, behaviour }) => ended === behaviour.ends).length;
      return line(first.plan, first.behaviour.story, first.behaviour.ends, `${right} of ${rows.length}`);
    }),
    '',
    `Plans      ${one + two} finance (${one} with one sign-off, ${two} with two), ${made('customer, escalation')} escalations, ${made('security, one sign-off')} security, ${made('allowed')} allowed without a workflow; ${run.workflows} workflows`,
    `Outcomes   ${count(({ ended, behaviour }) => ended === behaviour.ends)} of ${checked.length} as the table says`,
    `Callbacks  ${sum(({ callback }) => callback.owed)} owed, ${count(({ callback }) => callback.owed === 1 && callback.received === 1)} received exactly once; signature (standardwebhooks) and decision token (published keys) verified`,
    `Record     ${count(({ problems }) => problems.length === 0)} of ${checked.length} histories complete, ${sum(({ entries }) => entries)} entries; countersign record verify: ${verify.output.split('\n')[0] ?? ''}`,
    `Timings    a request ${quantiles(run.submitMs)}, a decision ${quantiles(run.decisionMs)}; all in ${seconds.toFixed(0)} s`,
    '',
    ...problems.map((problem) => `WRONG: ${problem}`),
    problems.length === 0 ? 'Everything is as expected.' : `${problems.length} things are not as expected.`,
  ];
}

const line = (plan: string, story: string, ends: string, did: string): string => `${plan.padEnd(24)}${story.padEnd(44)}${ends.padEnd(20)}${did}`;

/** Rows of one behaviour together, in the order of the table. */
function groups(checked: readonly Checked[]): [Checked, Checked[]][] {
  const order = Object.keys(PLANS);
  const grouped = new Map<Checked['behaviour'], Checked[]>();
  for (const row of [...checked].sort((a, b) => order.indexOf(a.plan) - order.indexOf(b.plan)))
    grouped.set(row.behaviour, [...(grouped.get(row.behaviour) ?? []), row]);
  return [...grouped.values()].flatMap((rows): [Checked, Checked[]][] => (rows[0] ? [[rows[0], rows]] : []));
}

function quantiles(values: readonly number[]): string {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): string => (sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0).toFixed(0);
  return `${at(0.5)} ms (p50), ${at(0.95)} ms (p95)`;
}
