/**
 * What others give: facts about a request, and facts about the systems. A policy says which facts a provider gives; where it is asked
 * is the operator's setting. What a provider did not say, or said in another type, is absent, and the reason is kept.
 * Pure: imports zod; whoever asks does it outside.
 */
import { z } from 'zod';
import type { Json } from '../domain/json';
import { fits, howTo, type FieldType } from '../domain/types';
import { placeOf, type Declared } from './declare';
import type { CompiledPolicy, CompiledProvider, CompiledSystemFact } from './model';
import type { Report } from './report';
import { durationText, parseDuration } from './units';

/** How long an answer may take where the policy does not say, in milliseconds. */
const WITHIN_MS = 2_000;
/** An agent waits for its plan meanwhile. */
const WITHIN_MAX_MS = 10_000;

export function compileProviders(declared: Declared, report: Report): { readonly [name: string]: CompiledProvider } {
  const used = new Set([...declared.system.values(), ...declared.facts.values()].map(({ provider }) => provider));
  const providers = [...declared.providers].map(([name, { doc, at }]): [string, CompiledProvider] => {
    const withinMs = doc.within === undefined ? WITHIN_MS : parseDuration(doc.within);
    if (withinMs === undefined || withinMs > WITHIN_MAX_MS)
      report.error(
        'bad_duration',
        placeOf(at, 'within'),
        null,
        `${doc.within ?? ''} is no time for ${name} to answer in: a submit waits for it, so it is 1s to ${durationText(WITHIN_MAX_MS)}`,
      );
    if (!used.has(name))
      report.warn(
        'unused_provider',
        at.source.keyAt(at.base),
        null,
        `No fact names the provider ${name}, so it is never asked; remove it, or name it in a fact`,
      );
    return [name, { withinMs: Math.min(withinMs ?? WITHIN_MS, WITHIN_MAX_MS) }];
  });
  return Object.fromEntries(providers);
}

export function compileSystem(declared: Declared, report: Report): { readonly [name: string]: CompiledSystemFact } {
  const facts = [...declared.system].map(([name, { field, provider, at }]): [string, CompiledSystemFact] => {
    if (!declared.providers.has(provider)) unknownProvider(declared, `system.${name}`, provider, placeOf(at, 'provider'), report);
    return [name, { name, type: field.type, provider }];
  });
  return Object.fromEntries(facts);
}

/** Who gives a declared fact: a provider that is declared as well, for one that comes from a provider; nobody for any other. */
export function providerOf(declared: Declared, name: string, report: Report): string | null {
  const fact = declared.facts.get(name);
  if (!fact) return null;
  const { source, provider, at } = fact;
  if (source !== 'provider') {
    if (provider !== null)
      report.error(
        'decorative_key',
        placeOf(at, 'provider'),
        null,
        `The fact ${name} comes from source ${source}, so nobody asks ${provider} for it; remove provider:, or say source: provider`,
      );
    return null;
  }
  if (provider === null) {
    const known = [...declared.providers.keys()].join(' or ') || 'crm, and declare it under providers';
    report.error('missing_provider', placeOf(at), null, `The fact ${name} comes from a provider but does not say which; add provider: ${known}`);
  } else if (!declared.providers.has(provider)) unknownProvider(declared, name, provider, placeOf(at, 'provider'), report);
  return provider;
}

function unknownProvider(declared: Declared, fact: string, provider: string, at: ReturnType<typeof placeOf>, report: Report): void {
  const known = [...declared.providers.keys()].join(', ');
  report.error(
    'unknown_provider',
    at,
    null,
    `There is no provider ${provider} that could give ${fact}; declare it under providers${known === '' ? '' : `, or use one of ${known}`}`,
  );
}

/** What a provider gives, by the path that conditions read it under. */
interface Given {
  readonly path: string;
  readonly provider: string;
  readonly type: FieldType;
}

type Declaring = Pick<CompiledPolicy, 'facts' | 'system'>;

/** Everything that providers give, in the order of the policy. */
export const givenBy = ({ facts, system }: Declaring): Given[] => [
  ...Object.values(facts).flatMap(({ name, source, provider, type }) =>
    source === 'provider' ? [{ path: `facts.${name}`, provider: provider ?? '', type }] : [],
  ),
  ...Object.values(system).map(({ name, provider, type }) => ({ path: `system.${name}`, provider, type })),
];

/** The paths that a policy reads from providers; a finding about them names who gives them. */
export const isGiven = (declared: Declared, path: string): boolean =>
  path.startsWith('system.') || (path.startsWith('facts.') && declared.facts.get(path.slice('facts.'.length))?.source === 'provider');

/** What one provider is asked, and how long it has. */
export interface Question {
  readonly provider: string;
  readonly facts: readonly string[];
  readonly system: readonly string[];
  readonly withinMs: number;
}

/** Each provider whose facts the policy declares, once. */
export function questionsOf(policy: Pick<CompiledPolicy, 'facts' | 'system' | 'providers'>): Question[] {
  const given = givenBy(policy);
  const named = (provider: string, root: string): string[] =>
    given.filter((g) => g.provider === provider && g.path.startsWith(root)).map(({ path }) => path.slice(root.length));
  return [...new Set(given.map(({ provider }) => provider))].map((provider) => ({
    provider,
    facts: named(provider, 'facts.'),
    system: named(provider, 'system.'),
    withinMs: policy.providers[provider]?.withinMs ?? WITHIN_MS,
  }));
}

/** The answer of a provider, as it comes. A value of null is one that it does not know. */
const AnswerSchema = z.strictObject({
  facts: z.record(z.string(), z.json()).default({}),
  system: z.record(z.string(), z.json()).default({}),
});

interface Judged {
  /** What can be read, by path. */
  readonly values: { readonly [path: string]: Json };
  /** Why the rest of what it was asked cannot, by path. */
  readonly missing: { readonly [path: string]: string };
  /** What it gave beside that. Nobody reads it. */
  readonly unasked: readonly string[];
}

/** A text longer than this is no fact to decide by, and would fill the record. */
const TEXT_MAX = 1_000;

/** An answer held against what the policy declares. Total: whatever comes, each path asked for is in one of the two. */
export function judgeAnswer(policy: Declaring, provider: string, answer: unknown): Judged {
  const asked = givenBy(policy).filter((given) => given.provider === provider);
  const parsed = AnswerSchema.safeParse(answer);
  if (!parsed.success)
    return { values: {}, missing: lacking(asked, `${provider} answered with something that is not {"facts": {…}, "system": {…}}`), unasked: [] };
  const said = new Map(
    (['facts', 'system'] as const).flatMap((root) => Object.entries(parsed.data[root]).map(([name, value]): [string, Json] => [`${root}.${name}`, value])),
  );
  const values: Record<string, Json> = {};
  const missing: Record<string, string> = {};
  for (const { path, type } of asked) {
    const value = said.get(path) ?? null;
    if (value === null) missing[path] = `${provider} does not know it`;
    else if (!fits(type, value)) missing[path] = `${provider} gave it in another type; it has to be ${howTo(type)}`;
    else if (tooLong(value)) missing[path] = `${provider} gave more than ${String(TEXT_MAX)} characters`;
    else values[path] = value;
  }
  return { values, missing, unasked: [...said.keys()].filter((path) => !asked.some((given) => given.path === path)) };
}

/** The same reason for everything. */
export const lacking = (given: readonly Pick<Given, 'path'>[], why: string): Record<string, string> => Object.fromEntries(given.map(({ path }) => [path, why]));

const tooLong = (value: Json): boolean => JSON.stringify(value).length > TEXT_MAX;

/** How a value of a provider is declared; undefined where the policy has none from a provider under that path. */
export const givenAt = (policy: Declaring, path: string): Given | undefined => givenBy(policy).find((given) => given.path === path);
