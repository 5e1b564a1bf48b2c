/**
 * `countersign record`: verify it in the store or offline from an export, and export it.
 */
import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { exportLines, readExport } from '../../../record/export';
import { exportTenant, tenantsOf, verifyStore } from '../../../record/store/export';
import { verifyRecord, type VerifyReport } from '../../../record/verify';
import { readText, readTrusted, withStore } from '../files';
import { answer, CliError, EXIT, type Exit, type Shared, type World } from '../io';

const lineOf = (r: VerifyReport): string =>
  r.ok
    ? `${r.tenant}: whole. ${String(r.entries)} entries of ${String(r.approvals)} approvals, ${String(r.size)} in the log (root ${r.root.slice(0, 12)}), ${String(r.unplaced)} not placed yet, ${String(r.signatures.checked)} signatures checked`
    : [`${r.tenant}: ${String(r.findings.length)} findings`, ...r.findings.map((f) => `  ${f.code}: ${f.message}`)].join('\n');

export function recordCommands(program: Command, world: World, end: (code: Exit) => void): void {
  const record = program.command('record').description('verify and export the record');

  record
    .command('verify')
    .description('find every changed, removed, reordered or added row; exit 1 if there is one')
    .option('--tenant <tenant>', 'one tenant; all of them unless given')
    .option('--export <file>', 'offline: verify an export instead of the store')
    .option('--keys <file>', 'public keys; COUNTERSIGN_KEYS_FILE unless given')
    .option('--witness <file...>', 'checkpoints that somebody kept')
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared & { tenant?: string; export?: string; keys?: string; witness?: string[] }>();
      const trusted = readTrusted(world, options.keys);
      const witnesses = (options.witness ?? []).map(readText);
      const reports =
        options.export === undefined
          ? await withStore(world, async (db) => {
              const reports: VerifyReport[] = [];
              for (const tenant of options.tenant === undefined ? await tenantsOf(db) : [options.tenant])
                reports.push(await verifyStore(db, trusted, tenant, witnesses));
              return reports;
            })
          : [verifyRecord(readExport(readText(options.export).split('\n')), trusted, { witnesses })];
      answer(world, options, reports, () => (reports.length === 0 ? 'The record is empty' : reports.map(lineOf).join('\n')));
      if (reports.some((r) => !r.ok)) end(EXIT.refused);
    });

  record
    .command('export <file>')
    .description("write a tenant's record as JSON Lines, to be verified offline")
    .requiredOption('--tenant <tenant>', 'whose record')
    .action(async (file: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Shared & { tenant: string }>();
      const lines = await withStore(world, async (db) => [...exportLines(await exportTenant(db, options.tenant))]);
      try {
        writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o600 });
      } catch (cause) {
        throw new CliError(EXIT.unreachable, 'file_unwritable', `${file} cannot be written; check the path and its permissions`, { cause });
      }
      answer(world, options, { file, rows: lines.length - 2 }, () => `${String(lines.length - 2)} rows written to ${file}`);
    });
}
