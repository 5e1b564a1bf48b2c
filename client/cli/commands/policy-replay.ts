/**
 * `countersign policy replay`: what a candidate would have made of the requests on the record. Reads only, a page at a time.
 */
import { Option, type Command } from 'commander';
import { ms } from '../../../domain/json';
import { compilePolicy, createReplay, durationText, hashOf, looksBackMs, parseDuration, type CompiledPolicy, type ReplayReport } from '../../../policy';
import { databaseTime, type Db } from '../../../record/store/database';
import { policyByHash } from '../../../record/store/policies';
import { countRequests, madeRequests, sinceOfNewest } from '../../../record/store/requests';
import { withStore } from '../files';
import { answer, CliError, EXIT, styled, table, type Exit, type Shared, type World } from '../io';
import { brokenPolicy, isBroken, readPolicy } from '../policy-files';
import { tenantOf } from '../policy-versions';

const FAILS = ['refused', 'less-asked', 'changed'] as const;

interface Options extends Shared {
  readonly tenant?: string;
  readonly since?: string;
  readonly until?: string;
  readonly limit?: string;
  readonly directory?: string;
  readonly failOn?: (typeof FAILS)[number];
}

export function policyReplayCommand(policy: Command, world: World, end: (code: Exit) => void): void {
  policy
    .command('replay <dir>')
    .description('what this candidate would have made of past requests: what changes, who is asked, which answers come too late')
    .option('--tenant <tenant>', 'whose requests; those of the only one there is unless given')
    .option('--since <when>', 'from this instant on, or so long ago (30d)')
    .option('--until <when>', 'up to this instant, or so long ago; now unless given')
    .option('--limit <n>', 'at most the newest so many')
    .option('--directory <file>', 'who people are; the directory.yaml inside <dir> unless given')
    .addOption(new Option('--fail-on <what>', 'exit 1 if there is such a request').choices(FAILS))
    .addHelpText('after', '\nExit 0 whatever changes, unless --fail-on is given; 1 where the candidate is broken.')
    .action(async (dir: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<Options>();
      const { policy: candidate, findings } = readPolicy(dir, options.directory);
      if (!candidate || isBroken(findings)) throw brokenPolicy('Nothing was replayed', findings);
      const limit = options.limit === undefined ? null : Number(options.limit);
      if (limit !== null && !(Number.isInteger(limit) && limit > 0))
        throw new CliError(EXIT.usage, 'bad_limit', `--limit ${options.limit ?? ''} is no number of requests; write for example --limit 1000`);
      const report = await withStore(world, async (db) => {
        const tenant = await tenantOf(db, options.tenant);
        const now = await databaseTime(db);
        const until = options.until === undefined ? now : instantOf(options.until, now);
        const since = options.since === undefined ? null : instantOf(options.since, now);
        return await replay(world, db, candidate, { tenant, since, until, limit });
      });
      answer(world, options, report, () => textOf(world, report));
      const { refused, less_asked: less, changed } = report;
      const failing = { refused, 'less-asked': less, changed: changed + refused };
      if (options.failOn && failing[options.failOn] > 0) end(EXIT.refused);
    });
}

function instantOf(text: string, now: string): string {
  const ago = parseDuration(text);
  const at = ago === undefined ? ms(text) : ms(now) - ago;
  if (Number.isNaN(at))
    throw new CliError(EXIT.usage, 'bad_instant', `${text} is neither an instant nor a duration; write for example 2026-11-01T00:00:00Z or 30d`);
  return new Date(at).toISOString();
}

interface Window {
  readonly tenant: string;
  readonly since: string | null;
  readonly until: string;
  readonly limit: number | null;
}

async function replay(world: World, db: Db, candidate: CompiledPolicy, { tenant, since: given, until, limit }: Window): Promise<ReplayReport> {
  const newest = limit === null ? null : await sinceOfNewest(db, { tenant, since: given, until }, limit);
  const since = newest ?? given;
  const total = await countRequests(db, { tenant, since, until });
  // Those of one instant are not told apart: of the first ones, so many are passed over.
  let surplus = limit === null ? 0 : Math.max(0, total - limit);
  const versions = await versionsOf(db, tenant);
  const run = createReplay(candidate, { tenant, since: given, until, limit, versionOf: versions.of });
  const progress = progressOf(world, total - surplus);
  // Counting begins earlier: the first request has its recent ones too.
  const from = since === null ? null : new Date(ms(since) - looksBackMs(candidate)).toISOString();
  let done = 0;
  for await (const past of madeRequests(db, { tenant, since: from, until })) {
    await versions.read(past.plan.policy.hash);
    if (since !== null && past.at < since) run.before(past);
    else if (surplus > 0) {
      surplus -= 1;
      run.before(past);
    } else {
      run.add(past);
      progress.at((done += 1));
    }
  }
  progress.end();
  return run.report();
}

/** Versions that routed requests, compiled when one of theirs comes by; null where one cannot be read any more. */
async function versionsOf(db: Db, tenant: string): Promise<{ read(hash: string): Promise<void>; of(hash: string): CompiledPolicy | null }> {
  const known = new Map<string, CompiledPolicy | null>();
  return await Promise.resolve({
    async read(hash: string) {
      if (known.has(hash)) return;
      const stored = await policyByHash(db, tenant, hash);
      known.set(hash, stored && hashOf(stored.files) === hash ? compilePolicy(stored.files).policy : null);
    },
    of: (hash: string) => known.get(hash) ?? null,
  });
}

const EVERY = 5_000;

/** On standard error: a line that is written over at a terminal, and now and then one of its own elsewhere. */
function progressOf(world: World, total: number): { at(done: number): void; end(): void } {
  let said = false;
  return {
    at(done) {
      if (done % (world.rewrites ? EVERY / 20 : EVERY) !== 0) return;
      said = true;
      world.err(`${world.rewrites ? '\r' : ''}${grouped(done)} of ${grouped(total)} requests replayed${world.rewrites ? '' : '\n'}`);
    },
    end() {
      if (said && world.rewrites) world.err('\r\u001b[K');
    },
  };
}

const grouped = (n: number): string => String(n).replace(/\B(?=(\d{3})+$)/g, ',');
const requests = (n: number): string => `${grouped(n)} request${n === 1 ? '' : 's'}`;
const percent = (n: number, of: number): string => (of === 0 ? '' : ` (${String(Math.round((1000 * n) / of) / 10)}%)`);
const minute = (at: string): string => `${at.slice(0, 10)} ${at.slice(11, 16)}`;
const INDENT = '  ';
const EXAMPLES = 5;
const indented = (text: string): string => text.replace(/^(?=.)/gm, INDENT).replace(/ +$/gm, '');
const some = (examples: readonly string[], of: number): string => `${examples.slice(0, 2).join(' ')}${of > 2 ? ' …' : ''}`;

function textOf(world: World, report: ReplayReport): string {
  const { candidate, routed_by: by, window, deadlines, load } = report;
  const ref = ({ name, version, hash }: { name: string; version: string; hash: string }): string => `${name} ${version} (${hash.slice(0, 12)})`;
  const title = (text: string): string => `\n${styled(world, 'bold', text)}`;
  const section = (text: string, lines: readonly string[]): string[] => (lines.length === 0 ? [] : [title(text), ...lines]);
  const tabled = (head: readonly string[], rows: readonly (readonly string[])[]): string[] => (rows.length === 0 ? [] : [indented(table(head, rows))]);
  if (report.requests === 0) return `${ref(candidate)}: there is no request of ${report.tenant} in that time`;
  const range = window.first === null || window.last === null ? '' : `, ${minute(window.first)} to ${minute(window.last)} UTC`;
  return [
    `${styled(world, 'bold', ref(candidate))} over ${requests(report.requests)} of ${report.tenant}${range}`,
    `They were routed by ${by.map((version) => `${ref(version)}${by.length > 1 ? `, ${grouped(version.requests)}` : ''}`).join('; ')}`,
    '',
    `  unchanged   ${grouped(report.unchanged)}${percent(report.unchanged, report.requests)}`,
    ...(report.reworded > 0 ? [`  reworded    ${grouped(report.reworded)}${percent(report.reworded, report.requests)}`] : []),
    `  changed     ${grouped(report.changed)}${percent(report.changed, report.requests)}`,
    `  refused     ${grouped(report.refused)}${percent(report.refused, report.requests)}`,
    ...(report.less_asked > 0 ? [styled(world, 'yellow', `  less asked  ${grouped(report.less_asked)}${percent(report.less_asked, report.requests)}`)] : []),
    ...section(
      'What becomes of them',
      tabled(
        ['routed as', 'ended as', 'now', 'requests', 'for example'],
        report.outcomes.map((o) => [o.was.effect, o.was.outcome, o.now, grouped(o.requests), some(o.examples, o.requests)]),
      ),
    ),
    ...section(
      'What else differs',
      tabled(
        ['what', 'was', 'now', 'requests', 'for example'],
        [
          ...report.tiers.map((t) => ['tier', t.was, t.now, grouped(t.requests), some(t.examples, t.requests)]),
          ...report.ends.map((t) => ['end of silence', t.was, t.now, grouped(t.requests), some(t.examples, t.requests)]),
          ...report.aspects.map((a) => [a.what, '', '', grouped(a.requests), some(a.examples, a.requests)]),
        ],
      ),
    ),
    ...section(
      'Would not be taken',
      report.refusals.flatMap(({ code, requests: n, paths, message }) => [
        `${INDENT}${styled(world, 'red', code)}: ${requests(n)} (${paths
          .slice(0, 4)
          .map((p) => `${p.path} ${grouped(p.requests)}`)
          .join(', ')}${paths.length > 4 ? ', …' : ''})`,
        `${INDENT}${INDENT}${message}`,
      ]),
    ),
    ...section(
      'Yeses that people are asked for',
      tabled(
        ['', 'before', 'now', 'busiest day before', 'busiest day now'],
        [
          ['all', load.sign_offs] as const,
          ...load.lanes.map(({ lane, ...l }) => [`lane ${lane}`, l] as const),
          ...load.roles.map(({ role, ...l }) => [`role ${role}`, l] as const),
        ].map(([name, l]) => [name, grouped(l.before), grouped(l.after), busiest(l.busiest_before), busiest(l.busiest_after)]),
      ),
    ),
    ...section('Answers that people gave, against the deadlines', answerLines(deadlines, tabled)),
    ...section('Rows', [
      ...tabled(
        ['row', 'applied before', 'now', ''],
        report.rows
          .filter((r) => r.before + r.after > 0)
          .map((r) => [
            r.row,
            grouped(r.before),
            grouped(r.after),
            r.effect === null ? 'not in the candidate' : r.unevaluated > 0 ? `${grouped(r.unevaluated)} because it could not be evaluated` : '',
          ]),
      ),
      ...(report.never.length > 0 ? [`${INDENT}never: ${report.never.join(', ')}`] : []),
    ]),
    ...section('Not known of that time', [
      ...report.unknown.map(({ path, requests: n }) => `${INDENT}${path}: ${requests(n)}; conditions that read it counted in the strict direction`),
      ...report.counted_again.map((name) => `${INDENT}recent.${name} was not noted then, or meant something else: counted again from the record`),
    ]),
  ].join('\n');
}

const busiest = (day: { readonly day: string; readonly requests: number } | null): string => (day === null ? '' : `${grouped(day.requests)} on ${day.day}`);

function answerLines(
  { compared, unanswered, passed_on: passed, missed, examples, more_sign_offs: more }: ReplayReport['deadlines'],
  tabled: (head: readonly string[], rows: readonly (readonly string[])[]) => string[],
): string[] {
  if (compared + unanswered + passed.before + missed.before === 0) return [];
  return [
    ...tabled(
      ['', 'before', 'now'],
      [
        ['after the first level had passed', grouped(passed.before), grouped(passed.after)],
        ['after silence would have ended it', grouped(missed.before), grouped(missed.after)],
      ],
    ),
    ...examples.slice(0, EXAMPLES).map(({ approval, role, answered, due }) => {
      const late = ms(answered) - ms(due);
      return `${INDENT}${approval}: ${role} answered ${minute(answered)}, ${late < 1000 ? 'at' : `${durationText(late)} after`} the end`;
    }),
    `${INDENT}${grouped(compared)} compared${unanswered > 0 ? `; ${grouped(unanswered)} ended by silence then, of which nothing can be said` : ''}`,
    ...(more > 0 ? [`${INDENT}${requests(more)} approved then would need further sign-offs`] : []),
  ];
}
