/**
 * `countersign policy test`: the examples of the rows and the scenarios beside them, run by the functions that route requests.
 * Needs no store and no engine.
 */
import type { Command } from 'commander';
import { formatFindings, testScenarios, type Finding } from '../../../policy';
import { answer, EXIT, type Exit, type Shared, type World } from '../io';
import { isBroken, readPolicy } from '../policy-files';

export function policyTestCommand(policy: Command, world: World, end: (code: Exit) => void): void {
  policy
    .command('test <dir>')
    .description('run the examples of its rows and the files under scenarios/; exit 1 if one of them fails')
    .option('--directory <file>', 'who people are; the directory.yaml inside <dir> unless given')
    .action((dir: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared & { directory?: string }>();
      const { policy: compiled, directory, scenarios: files, findings } = readPolicy(dir, options.directory);
      const tested = compiled && !isBroken(findings) ? testScenarios(compiled, directory, files) : null;
      const wrong: readonly Finding[] = [...findings.filter((f) => f.severity === 'error'), ...(tested?.findings ?? [])];
      const ok = tested !== null && wrong.length === 0;
      const scenarios = tested?.scenarios ?? [];
      answer(world, options, { ok, hash: compiled?.hash ?? null, scenarios, findings: wrong }, () => {
        const passed = scenarios.filter((s) => s.ok).length;
        const said = wrong.length > 0 ? `${formatFindings(wrong)}\n` : '';
        if (tested === null) return `${said}No scenario was run: mend the policy first`;
        const none = 'The examples of its rows hold; it has no scenarios, which would stand in scenarios/*.yaml beside it';
        return `${said}${scenarios.length === 0 ? none : `${String(passed)} of ${String(scenarios.length)} scenarios pass`}`;
      });
      if (!ok) end(EXIT.refused);
    });
}
