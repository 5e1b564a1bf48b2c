/**
 * A policy's directory read and checked: what every command about policies begins with.
 */
import { checkAgainstDirectory, compilePolicy, formatFindings, parseDirectory, partition, type Finding } from '../../policy';
import { readPolicyFiles, readText } from './files';
import { CliError, EXIT } from './io';

interface Read {
  readonly policy: ReturnType<typeof compilePolicy>['policy'];
  readonly directory: ReturnType<typeof parseDirectory>['directory'];
  readonly directoryText: string | null;
  readonly files: ReturnType<typeof partition>['policy'];
  readonly scenarios: ReturnType<typeof partition>['scenarios'];
  readonly findings: readonly Finding[];
}

export function readPolicy(dir: string, directoryFile: string | undefined): Read {
  const { policy: files, directory: own, scenarios } = partition(readPolicyFiles(dir));
  const people = directoryFile === undefined ? own : { path: directoryFile, text: readText(directoryFile) };
  const compiled = compilePolicy(files);
  const parsed = people && parseDirectory(people.text, people.path);
  const together = compiled.policy && parsed?.directory ? checkAgainstDirectory(compiled.policy, parsed.directory) : [];
  return {
    files,
    scenarios,
    policy: compiled.policy,
    directory: parsed?.directory ?? null,
    directoryText: people?.text ?? null,
    findings: [...compiled.findings, ...(parsed?.findings ?? []), ...together],
  };
}

export const isBroken = (findings: readonly Finding[]): boolean => findings.some((f) => f.severity === 'error');

/** Ends a command that needs a policy without an error. */
export const brokenPolicy = (what: string, findings: readonly Finding[]): CliError =>
  new CliError(EXIT.refused, 'policy_broken', `${what}; mend these first:\n${formatFindings(findings.filter((f) => f.severity === 'error'))}`);
