/**
 * `countersign policy explain`: why a request is routed as it is, and what happens when nobody answers. Needs no store and no engine.
 */
import type { Command } from 'commander';
import type { Directory } from '../../../domain/directory';
import { ms, type Json, type JsonObject } from '../../../domain/json';
import { providedLines, unavailableLines } from '../../../domain/packet';
import type { Plan, Provided, RecentValue } from '../../../domain/plan';
import { RequestSchema } from '../../../domain/request';
import type { Silence } from '../../../domain/silence';
import { explain, givenBy, lacking, movesInWords, silenceOf, type CompiledPolicy, type Explained } from '../../../policy';
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
  readonly provided?: string;
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
    .option('--provided <file>', 'JSON with what providers say: {"facts": {…}, "system": {…}} by name; without it they say nothing')
    .option('--agent <name>', 'who asks', 'agent')
    .option('--tenant <tenant>', 'for whom', 'tenant')
    .option('--directory <file>', 'who people are; the directory.yaml inside <dir> unless given')
    .action((dir: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options & { directory?: string }>();
      const found = read(dir, options.directory);
      const explained = explain(found.policy, inputOf(found.policy, options));
      const { resolved } = explained;
      const silence = resolved.ok ? silenceOf(resolved.plan, found.directory, startOf(options.at ?? world.now())) : null;
      answer(world, options, { ...explained, silence }, () => textOf(explained, silence));
      if (!resolved.ok) end(EXIT.refused);
    });
}

function inputOf(policy: CompiledPolicy, options: Options): Parameters<typeof explain>[1] {
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
    ...providedOf(policy, options),
    evidence: body.evidence.map((e) => e.name),
    requester: { agent: options.agent, run: body.run, onBehalfOf: body.on_behalf_of ?? null },
    tenant: options.tenant,
  };
}

const isObject = (value: Json | undefined): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

/** What providers would say, as they would say it; what is not in the file is what they do not know. */
function providedOf(policy: CompiledPolicy, { provided: path, at }: Options): Pick<Parameters<typeof explain>[1], 'provided' | 'unavailable'> {
  const given = givenBy(policy);
  if (path === undefined) return { unavailable: lacking(given, 'no file was given with --provided') };
  const { facts = {}, system = {}, ...others } = objectIn(path, 'what providers say, as {"facts": {…}, "system": {…}}');
  const [other] = Object.keys(others);
  if (!isObject(facts) || !isObject(system) || other !== undefined)
    throw new CliError(EXIT.refused, 'invalid_json', `${path} has to hold {"facts": {…}, "system": {…}}${other === undefined ? '' : `, and not ${other}`}`);
  const said = [
    ...Object.entries(facts).map(([name, value]) => [`facts.${name}`, value] as const),
    ...Object.entries(system).map(([name, value]) => [`system.${name}`, value] as const),
  ];
  const of = (name: string): Provided['provider'] => given.find((g) => g.path === name)?.provider ?? '';
  return {
    provided: Object.fromEntries(said.map(([name, value]) => [name, { value, provider: of(name), at: at ?? '' }])),
    unavailable: lacking(given, `${path} does not say it`),
  };
}

function objectIn(path: string, what: string): JsonObject {
  const value = readJson(path);
  if (!isObject(value)) throw new CliError(EXIT.refused, 'invalid_json', `${path} has to hold one object: ${what}`);
  return value;
}

function recentOf(path: string | undefined): Record<string, RecentValue> {
  if (path === undefined) return {};
  const values = objectIn(path, 'the values of recent: by name');
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
  ...movesInWords(plan).map((line) => `  ${line}`),
  ...Object.entries(plan.relative ?? {}).map(([role, { of, backup }]) => `  ${role}: whoever owns ${of ?? 'nothing that is known'}, else ${backup}`),
  ...providedLines(plan).map((line) => `  ${line}`),
  ...unavailableLines(plan).map((line) => `  ${line}`),
];

const silenceLines = ({ moments }: Silence): string[] =>
  moments.length === 0 ? [] : ['', 'If nobody answers:', ...moments.map(({ at, what }) => `  ${at}  ${what}`)];
