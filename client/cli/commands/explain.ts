/**
 * `countersign policy explain`: why a request is routed as it is, and what happens when nobody answers. Needs no store and no engine.
 */
import type { Command } from 'commander';
import type { Directory } from '../../../domain/directory';
import { ms, type Json } from '../../../domain/json';
import type { Plan, RecentValue } from '../../../domain/plan';
import { RequestSchema } from '../../../domain/request';
import type { Silence } from '../../../domain/silence';
import { explain, silenceOf, type CompiledPolicy, type Explained } from '../../../policy';
import { readJson } from '../files';
import { answer, CliError, EXIT, type Exit, type Shared, type World } from '../io';

export interface Explainable {
  readonly policy: CompiledPolicy;
  readonly directory: Directory | null;
}

interface Options extends Shared {
  readonly request: string;
  readonly at?: string;
  readonly recent?: string;
  readonly agent: string;
  readonly tenant: string;
}

/** `read` answers the checked policy of a directory, or ends the command with its findings. */
export function explainCommand(policy: Command, world: World, end: (code: Exit) => void, read: (dir: string, directoryFile?: string) => Explainable): void {
  policy
    .command('explain <dir>')
    .description('which rows a request meets and why, the plan, and what happens when nobody answers; exit 1 if it could not be routed')
    .requiredOption('--request <file>', 'the request as JSON, as an agent would send it')
    .option('--at <instant>', 'from when on deadlines are counted; now unless given')
    .option('--recent <file>', 'JSON with the values of recent: by name; without it they cannot be evaluated')
    .option('--agent <name>', 'who asks', 'agent')
    .option('--tenant <tenant>', 'for whom', 'tenant')
    .option('--directory <file>', 'who people are; the directory.yaml inside <dir> unless given')
    .action((dir: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options & { directory?: string }>();
      const found = read(dir, options.directory);
      const explained = explain(found.policy, inputOf(options));
      const { resolved } = explained;
      const silence = resolved.ok ? silenceOf(resolved.plan, found.directory, startOf(options.at ?? world.now())) : null;
      answer(world, options, { ...explained, silence }, () => textOf(explained, silence));
      if (!resolved.ok) end(EXIT.refused);
    });
}

function inputOf(options: Options): Parameters<typeof explain>[1] {
  const parsed = RequestSchema.safeParse(readJson(options.request));
  if (!parsed.success) {
    const [first] = parsed.error.issues;
    throw new CliError(EXIT.refused, 'invalid_request', `${options.request} is no request: ${first?.path.join('.') || 'the body'}: ${first?.message ?? ''}`);
  }
  const body = parsed.data;
  return {
    action: body.action,
    facts: body.facts,
    recent: recentOf(options.recent),
    evidence: body.evidence.map((e) => e.name),
    requester: { agent: options.agent, run: body.run, onBehalfOf: body.on_behalf_of ?? null },
    tenant: options.tenant,
  };
}

function recentOf(path: string | undefined): Record<string, RecentValue> {
  if (path === undefined) return {};
  const values = readJson(path);
  if (typeof values !== 'object' || values === null || Array.isArray(values))
    throw new CliError(EXIT.refused, 'invalid_json', `${path} has to hold one object: the values of recent: by name`);
  // What has the wrong type is said by the policy, with what it has to be.
  return Object.fromEntries(Object.entries(values).map(([name, value]: [string, Json]) => [name, { value: value as number, requests: 0, since: '' }]));
}

function startOf(at: string): string {
  if (Number.isNaN(ms(at))) throw new CliError(EXIT.usage, 'bad_instant', `${at} is no instant; write for example 2026-11-23T09:00:00Z`);
  return new Date(at).toISOString();
}

const FATE: { readonly [F in Explained['rows'][number]['fate']]: string } = {
  applies: 'applies',
  applies_unevaluated: 'applies, because it could not be evaluated',
  not_met: 'does not apply',
  superseded: 'is superseded',
  excepted: 'is excepted',
};
const HELD = { held: 'yes', did_not_hold: 'no', unevaluated: 'cannot be evaluated' } as const;

function textOf({ rows, resolved }: Explained, silence: Silence | null): string {
  const lines = rows.flatMap((row) => [
    `${row.id} (${row.effect}) ${FATE[row.fate]}`,
    ...row.parts.map((part) => `    ${HELD[part.held]}: ${part.words}`),
    ...(row.unless === null ? [] : [`    unless: ${row.unless}`]),
  ]);
  if (!resolved.ok) return [...lines, '', ...resolved.issues.map((issue) => `${issue.code} ${issue.path}: ${issue.message}`)].join('\n');
  return [...lines, '', ...planLines(resolved.plan), ...(silence ? silenceLines(silence) : [])].join('\n');
}

const planLines = (plan: Plan): string[] => [
  `Plan: ${plan.effect}${plan.tier === 'none' ? '' : `, tier ${plan.tier}`}, risk ${plan.risk}, lane ${plan.lane}, by ${plan.rows.map((row) => row.id).join(', ')}`,
  ...plan.signOffs.map(
    (s) => `  sign-off ${s.id} in ${s.lane}: ${s.ladder.map((level) => level.name).join(', then ')}${s.quorum > 1 ? `, ${String(s.quorum)} people` : ''}`,
  ),
  `  meanwhile: ${plan.meanwhile.agent}; ${plan.meanwhile.operator}`,
];

const silenceLines = ({ moments }: Silence): string[] =>
  moments.length === 0 ? [] : ['', 'If nobody answers:', ...moments.map(({ at, what }) => `  ${at}  ${what}`)];
