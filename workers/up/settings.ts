/**
 * What `npm start` is told: flags first, then the environment, then the defaults. Both are handed in.
 * Must not start anything.
 */
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { UpError } from './errors';

export interface UpSettings {
  /** Everything that must survive: the store, the engine's database, keys, mails, logs. */
  readonly home: string;
  /** The policy and the directory of people that a first start publishes. */
  readonly sample: string;
  readonly apiPort: number;
  readonly temporalPort: number;
  readonly temporalUiPort: number;
  readonly smtpPort: number;
  readonly mailPort: number;
  readonly help: boolean;
}

interface Flag {
  readonly flag: string;
  readonly variable: string;
  readonly about: string;
  readonly preset: string;
}

const FLAGS = {
  home: { flag: 'home', variable: 'COUNTERSIGN_HOME', about: 'where everything is kept', preset: '.countersign' },
  sample: { flag: 'sample', variable: 'COUNTERSIGN_SAMPLE', about: 'the policy and directory that a first start publishes', preset: 'examples/finance/policy' },
  apiPort: { flag: 'api-port', variable: 'COUNTERSIGN_API_PORT', about: 'the API', preset: '8700' },
  temporalPort: { flag: 'temporal-port', variable: 'COUNTERSIGN_TEMPORAL_PORT', about: 'the Temporal server', preset: '7233' },
  temporalUiPort: { flag: 'temporal-ui-port', variable: 'COUNTERSIGN_TEMPORAL_UI_PORT', about: "Temporal's UI", preset: '8233' },
  smtpPort: { flag: 'smtp-port', variable: 'MAIL_SINK_PORT', about: 'the development mailbox, SMTP', preset: '8725' },
  mailPort: { flag: 'mail-port', variable: 'MAIL_SINK_HTTP_PORT', about: 'the development mailbox, to read', preset: '8726' },
} as const satisfies Record<string, Flag>;

export type FlagName = keyof typeof FLAGS;
export const variableOf = (name: FlagName): string => FLAGS[name].variable;
export const aboutOf = (name: FlagName): string => FLAGS[name].about;

export function helpText(): string {
  const lines = Object.values(FLAGS).map((f) => `  --${f.flag.padEnd(18)} ${f.about} (${f.variable}, else ${f.preset})`);
  return [
    'npm start [-- flags]: the Temporal server, the store, the worker, the API and a mailbox, in one command.',
    '',
    ...lines,
    '',
    'TEMPORAL_ADDRESS, DATABASE_URL (with DATABASE_ADMIN_URL to migrate) and SMTP_URL name servers of yours; what they name is not started here.',
  ].join('\n');
}

/** `root`: the repository, against which a relative home is taken. */
export function readSettings(args: readonly string[], env: NodeJS.ProcessEnv, root: string): UpSettings {
  const given = parse(args);
  const valueOf = (name: FlagName): string => given[FLAGS[name].flag] ?? (env[FLAGS[name].variable] || FLAGS[name].preset);
  const port = (name: FlagName): number => {
    const value = valueOf(name);
    if (!/^\d{1,5}$/.test(value) || Number(value) < 1 || Number(value) > 65_535) {
      throw new UpError(
        'bad_flags',
        `The port for ${FLAGS[name].about} must be 1 to 65535, not "${value}": correct --${FLAGS[name].flag} or ${FLAGS[name].variable}.`,
      );
    }
    return Number(value);
  };
  const home = valueOf('home');
  return {
    home: home === FLAGS.home.preset ? join(root, home) : resolve(home),
    sample: valueOf('sample') === FLAGS.sample.preset ? join(root, FLAGS.sample.preset) : resolve(valueOf('sample')),
    apiPort: port('apiPort'),
    temporalPort: port('temporalPort'),
    temporalUiPort: port('temporalUiPort'),
    smtpPort: port('smtpPort'),
    mailPort: port('mailPort'),
    help: given['help'] !== undefined,
  };
}

function parse(args: readonly string[]): Record<string, string | undefined> {
  const strings = Object.fromEntries(Object.values(FLAGS).map((f) => [f.flag, { type: 'string' }] as const));
  try {
    const { values } = parseArgs({ args: [...args], options: { ...strings, help: { type: 'boolean', short: 'h' } }, strict: true });
    return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]));
  } catch (cause) {
    const said = cause instanceof Error ? (cause.message.split(/[.\n]/, 1)[0] ?? '') : '';
    throw new UpError('bad_flags', `${said}: see npm start -- --help.`, { cause });
  }
}
