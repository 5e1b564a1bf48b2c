/** What the policy's tests share: reading the examples, and a small policy to vary. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve as toPath } from 'node:path';
import type { Directory } from '../../../domain/directory';
import { compilePolicy, formatFindings, parseDirectory, type CompiledPolicy, type Finding, type PolicyFile, type RoutingInput } from '../../../policy';

const examples = toPath(__dirname, '../../../examples');

function exampleFiles(name: string): PolicyFile[] {
  const directory = join(examples, name, 'policy');
  return readdirSync(directory)
    .filter((file) => file.endsWith('.yaml') && file !== 'directory.yaml')
    .map((path) => ({ path, text: readFileSync(join(directory, path), 'utf8') }));
}

export function compiled(files: readonly PolicyFile[]): { policy: CompiledPolicy; findings: readonly Finding[] } {
  const { policy, findings } = compilePolicy(files);
  if (!policy) throw new Error(formatFindings(findings));
  return { policy, findings };
}

export const compileExample = (name: string): { policy: CompiledPolicy; findings: readonly Finding[] } => compiled(exampleFiles(name));

export function exampleDirectory(name: string): Directory {
  const { directory, findings } = parseDirectory(readFileSync(join(examples, name, 'policy', 'directory.yaml'), 'utf8'), 'directory.yaml');
  if (!directory) throw new Error(formatFindings(findings));
  return directory;
}

/** A request as submit would hand it over, with what a test cares about. */
export function asking(
  type: string,
  params: RoutingInput['action']['params'] = {},
  rest: Partial<Omit<RoutingInput, 'action'>> & { action?: Partial<RoutingInput['action']> } = {},
): RoutingInput {
  const { action, ...others } = rest;
  return {
    action: {
      type,
      summary: 'Do it',
      params,
      system: 'orders',
      reversibility: 'hard',
      audience: { reach: 'one_customer', count: 1 },
      data: [],
      artifacts: [],
      ...action,
    },
    facts: {},
    evidence: [],
    requester: { agent: 'agent', run: 'run-1', onBehalfOf: null },
    tenant: 'shop',
    ...others,
  };
}

export const usd = (dollars: number): { minor: number; currency: string } => ({ minor: Math.round(dollars * 100), currency: 'USD' });
