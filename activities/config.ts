/**
 * The settings that the worker and the API share: read once, from an environment that is handed in, checked whole before anything starts.
 * Promises: every problem is named in one sentence, and nothing meant for development is accepted in production.
 * Reads no environment of its own and no files.
 */
import { z } from 'zod';
import { databaseClock, engineClock, scaledClock, type Clock } from '../domain/clock';

export type ClockKind = 'database' | 'engine' | 'scaled';
/** Which of the two asks: only the worker sends mail. */
export type Program = 'worker' | 'api';
export type Environment = 'development' | 'production';
export type LogLevel = 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent';

export interface Config {
  readonly environment: Environment;
  readonly development: boolean;
  /** The application role: may insert, may not change or remove. */
  readonly databaseUrl: string;
  /** Owns the tables; only migrations use it. Null where somebody else migrates. */
  readonly databaseAdminUrl: string | null;
  readonly temporalAddress: string;
  readonly temporalNamespace: string;
  /** TLS with the system's authorities; implied by an API key. */
  readonly temporalTls: boolean;
  readonly temporalApiKey: string | null;
  readonly taskQueue: string;
  readonly keysFile: string;
  readonly apiHost: string;
  readonly apiPort: number;
  /** Where people and agents reach the API; what links in mails begin with. No slash at the end. */
  readonly publicUrl: string;
  readonly smtpUrl: string | null;
  readonly mailFrom: string;
  /** `database`: the store's clock. `engine`: the workflow's, under time skipping. `scaled`: faster than the wall, from an origin. */
  readonly clock: ClockKind;
  /** The instant at which scaled time begins, as ISO text; null unless the clock is scaled. */
  readonly clockOrigin: string | null;
  readonly timeScale: number;
  /** Callbacks to this machine are allowed. */
  readonly allowLoopback: boolean;
  readonly logLevel: LogLevel;
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly code = 'bad_settings';

  constructor(
    /** One entry per problem, each beginning with the setting's name. */
    readonly problems: readonly string[],
  ) {
    super(`The settings cannot be used: ${problems.join('; ')}.`);
  }
}

const flag = z.enum(['true', 'false', '1', '0'], { error: 'must be true or false' }).transform((value) => value === 'true' || value === '1');
const port = z.coerce.number({ error: 'must be a port number' }).int('must be a whole number').min(1, 'must be 1 to 65535').max(65_535, 'must be 1 to 65535');
const url = (protocol: RegExp, form: string): z.ZodURL => z.url({ protocol, error: `must be a URL of the form ${form}` });
const postgres = url(/^postgres(ql)?$/, 'postgres://user:password@host:port/database');

const Settings = z.object({
  COUNTERSIGN_ENV: z.enum(['development', 'production'], { error: 'must be development or production' }).default('production'),
  DATABASE_URL: postgres,
  DATABASE_ADMIN_URL: postgres.optional(),
  TEMPORAL_ADDRESS: z
    .string()
    .regex(/^[^\s/]+:\d{1,5}$/, 'must be host:port')
    .default('127.0.0.1:7233'),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default'),
  TEMPORAL_TLS: flag.optional(),
  TEMPORAL_API_KEY: z.string().optional(),
  COUNTERSIGN_TASK_QUEUE: z.string().min(1).default('countersign'),
  COUNTERSIGN_KEYS_FILE: z.string({ error: 'is required: the path of the file that holds the signing keys' }).min(1),
  COUNTERSIGN_API_HOST: z.string().min(1).default('127.0.0.1'),
  COUNTERSIGN_API_PORT: port.default(8700),
  COUNTERSIGN_PUBLIC_URL: url(/^https?$/, 'https://host').optional(),
  SMTP_URL: url(/^smtps?$/, 'smtp://host:port').optional(),
  COUNTERSIGN_MAIL_FROM: z.string().min(3).default('Countersign <countersign@localhost>'),
  COUNTERSIGN_CLOCK: z.enum(['database', 'engine', 'scaled'], { error: 'must be database, engine or scaled' }).default('database'),
  COUNTERSIGN_CLOCK_ORIGIN: z.iso.datetime({ offset: true, error: 'must be an instant such as 2026-01-05T09:00:00Z' }).optional(),
  COUNTERSIGN_TIME_SCALE: z.coerce.number({ error: 'must be a number' }).min(1, 'must be at least 1').max(100_000, 'must be at most 100000').default(1),
  COUNTERSIGN_ALLOW_LOOPBACK: flag.default(false),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], { error: 'must be fatal, error, warn, info, debug, trace or silent' })
    .default('info'),
});

type Raw = z.output<typeof Settings>;

/** An empty value is the same as none: shells and compose files cannot always leave one out. */
const present = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(Object.entries(env).flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, value]])));

export function readConfig(env: NodeJS.ProcessEnv, program: Program): Config {
  const parsed = Settings.safeParse(present(env));
  if (!parsed.success) {
    throw new ConfigError(parsed.error.issues.map((issue) => `${issue.path.join('.')} ${say(issue, env)}`));
  }
  const problems = conflicts(parsed.data, program);
  if (problems.length > 0) throw new ConfigError(problems);
  return settled(parsed.data);
}

/** Says what is wrong, never what was given: a URL may hold a password. */
const say = (issue: z.core.$ZodIssue, env: NodeJS.ProcessEnv): string =>
  env[String(issue.path[0])] ? issue.message : `is required${/^must/.test(issue.message) ? `: it ${issue.message}` : ''}`;

/** What each value allows alone, but not together. */
function conflicts(raw: Raw, program: Program): string[] {
  const problems: string[] = [];
  const refuseIn = (when: boolean, name: string, why: string): void => {
    if (when) problems.push(`${name} ${why}`);
  };
  const production = raw.COUNTERSIGN_ENV === 'production';
  refuseIn(production && raw.COUNTERSIGN_CLOCK !== 'database', 'COUNTERSIGN_CLOCK', 'must be database in production: other clocks are for development');
  refuseIn(production && raw.COUNTERSIGN_TIME_SCALE !== 1, 'COUNTERSIGN_TIME_SCALE', 'must be 1 in production');
  refuseIn(
    production && raw.COUNTERSIGN_ALLOW_LOOPBACK,
    'COUNTERSIGN_ALLOW_LOOPBACK',
    'must not be set in production: callbacks to this machine are for development',
  );
  refuseIn(
    production && raw.COUNTERSIGN_PUBLIC_URL === undefined,
    'COUNTERSIGN_PUBLIC_URL',
    'is required in production: it is where people and agents reach the API',
  );
  refuseIn(program === 'worker' && production && raw.SMTP_URL === undefined, 'SMTP_URL', 'is required in production: it is how people are asked');
  refuseIn(!production && raw.COUNTERSIGN_CLOCK !== 'scaled' && raw.COUNTERSIGN_TIME_SCALE !== 1, 'COUNTERSIGN_TIME_SCALE', 'needs COUNTERSIGN_CLOCK=scaled');
  refuseIn(
    raw.COUNTERSIGN_CLOCK === 'scaled' && raw.COUNTERSIGN_CLOCK_ORIGIN === undefined,
    'COUNTERSIGN_CLOCK_ORIGIN',
    'is required with COUNTERSIGN_CLOCK=scaled',
  );
  refuseIn(raw.COUNTERSIGN_CLOCK !== 'scaled' && raw.COUNTERSIGN_CLOCK_ORIGIN !== undefined, 'COUNTERSIGN_CLOCK_ORIGIN', 'needs COUNTERSIGN_CLOCK=scaled');
  return problems;
}

const settled = (raw: Raw): Config => ({
  environment: raw.COUNTERSIGN_ENV,
  development: raw.COUNTERSIGN_ENV === 'development',
  databaseUrl: raw.DATABASE_URL,
  databaseAdminUrl: raw.DATABASE_ADMIN_URL ?? null,
  temporalAddress: raw.TEMPORAL_ADDRESS,
  temporalNamespace: raw.TEMPORAL_NAMESPACE,
  temporalTls: raw.TEMPORAL_TLS ?? raw.TEMPORAL_API_KEY !== undefined,
  temporalApiKey: raw.TEMPORAL_API_KEY ?? null,
  taskQueue: raw.COUNTERSIGN_TASK_QUEUE,
  keysFile: raw.COUNTERSIGN_KEYS_FILE,
  apiHost: raw.COUNTERSIGN_API_HOST,
  apiPort: raw.COUNTERSIGN_API_PORT,
  publicUrl: (raw.COUNTERSIGN_PUBLIC_URL ?? `http://localhost:${raw.COUNTERSIGN_API_PORT}`).replace(/\/+$/, ''),
  smtpUrl: raw.SMTP_URL ?? null,
  mailFrom: raw.COUNTERSIGN_MAIL_FROM,
  clock: raw.COUNTERSIGN_CLOCK,
  clockOrigin: raw.COUNTERSIGN_CLOCK_ORIGIN === undefined ? null : new Date(raw.COUNTERSIGN_CLOCK_ORIGIN).toISOString(),
  timeScale: raw.COUNTERSIGN_TIME_SCALE,
  allowLoopback: raw.COUNTERSIGN_ALLOW_LOOPBACK,
  logLevel: raw.LOG_LEVEL,
});

/** The clock that the settings name. */
export function clockOf({ clock, clockOrigin, timeScale }: Config): Clock {
  switch (clock) {
    case 'database':
      return databaseClock;
    case 'engine':
      return engineClock;
    case 'scaled':
      return scaledClock(clockOrigin ?? '', timeScale);
  }
}

/** How both reach the engine. */
export const engineOptions = ({
  temporalAddress,
  temporalTls,
  temporalApiKey,
}: Config): { readonly address: string; readonly tls: boolean; readonly apiKey?: string } => ({
  address: temporalAddress,
  tls: temporalTls,
  ...(temporalApiKey === null ? {} : { apiKey: temporalApiKey }),
});
