/**
 * The settings that the worker and the API share: read once, from an environment that is handed in, checked whole before anything starts.
 * Promises: every problem is named in one sentence, and nothing meant for development is accepted in production.
 * Reads no environment of its own and no files.
 */
import { z } from 'zod';
import { databaseClock, engineClock, scaledClock, type Clock } from '../domain/clock';
import type { ProviderSettings } from './providers';

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
  /** TLS; implied by an API key and by any of the three files. */
  readonly temporalTls: boolean;
  readonly temporalApiKey: string | null;
  /** Authorities of the server, instead of the system's. */
  readonly temporalTlsCaFile: string | null;
  /** Who we are to the server (mutual TLS); both or neither. */
  readonly temporalTlsCertFile: string | null;
  readonly temporalTlsKeyFile: string | null;
  /** The name that the server's certificate must hold, where it is not the address's. */
  readonly temporalTlsServerName: string | null;
  /** AES-256-GCM keys of the payloads in the engine's histories; null: they lie there in clear. */
  readonly payloadKeysFile: string | null;
  /** Nothing new is encrypted, by choice; what was encrypted before still reads while the keys are given. */
  readonly payloadsPlain: boolean;
  /** Where the Temporal UI is served, for the codec endpoint's answers across origins; null: no other origin may read them. */
  readonly temporalUiOrigin: string | null;
  /** The tenant whose operators run the installation: they alone read payloads that belong to no tenant. */
  readonly operatorTenant: string | null;
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
  /** The address of the two ports below; never the one that agents and people use. */
  readonly metricsHost: string;
  /** Where the worker's metrics, health and readiness are served; null: nowhere. */
  readonly metricsPort: number | null;
  /** Where the API's metrics are served; null: nowhere. Its health and readiness are on its own port. */
  readonly apiMetricsPort: number | null;
  /** How long a stopping API still answers while it says that it is not ready, so that nobody sends it more, in milliseconds. */
  readonly drainMs: number;
  /** How often the sweep compares the record with the engine. */
  readonly sweepSeconds: number;
  /** Worker versioning: the deployment this worker belongs to and its build; both or neither. */
  readonly deploymentName: string | null;
  readonly buildId: string | null;
  /** Workflows bundled ahead; null: they are bundled at the start, which takes a few seconds. */
  readonly workflowBundle: string | null;
  /** The generic signed webhook as a channel; null: a policy may not use it. */
  readonly webhookUrl: string | null;
  /** `whsec_…`, newest first, separated by spaces in the setting. */
  readonly webhookSecrets: readonly string[];
  /** What disables credential paths at a signed call; null: there is none, and what a policy wants disabled fails, visibly. */
  readonly credentialHook: string | null;
  /** `whsec_…`, newest first. */
  readonly credentialHookSecrets: readonly string[];
  /** Who is asked for facts at submit, by the name that policies call them. */
  readonly providers: { readonly [provider: string]: ProviderSettings };
  /** The directory's file that is taken whenever it changes, and whose people they are; both or neither. */
  readonly directoryFile: string | null;
  readonly directoryTenant: string | null;
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

/** What the system says of a file or a port, such as ENOENT. By its field: errors of Node cross realms. */
export const systemCode = (cause: unknown): string =>
  typeof cause === 'object' && cause !== null && 'code' in cause && typeof cause.code === 'string' ? cause.code : 'error';

const flag = z.enum(['true', 'false', '1', '0'], { error: 'must be true or false' }).transform((value) => value === 'true' || value === '1');
const port = z.coerce.number({ error: 'must be a port number' }).int('must be a whole number').min(1, 'must be 1 to 65535').max(65_535, 'must be 1 to 65535');
const url = (protocol: RegExp, form: string): z.ZodURL => z.url({ protocol, error: `must be a URL of the form ${form}` });
const postgres = url(/^postgres(ql)?$/, 'postgres://user:password@host:port/database');

const secrets = z
  .string()
  .transform((text) => text.split(/\s+/).filter((part) => part !== ''))
  .pipe(
    z
      .array(z.string().regex(/^whsec_[A-Za-z0-9+/]{32,}={0,2}$/, 'must be secrets of the form whsec_ and base64, separated by spaces'))
      .min(1, 'must hold at least one secret of the form whsec_ and base64'),
  );

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
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: z.string().optional(),
  TEMPORAL_TLS_CLIENT_CERT_PATH: z.string().optional(),
  TEMPORAL_TLS_CLIENT_KEY_PATH: z.string().optional(),
  TEMPORAL_TLS_SERVER_NAME: z.string().optional(),
  COUNTERSIGN_PAYLOAD_KEYS_FILE: z.string().optional(),
  COUNTERSIGN_PAYLOADS: z.enum(['encrypted', 'plain'], { error: 'must be encrypted or plain' }).optional(),
  COUNTERSIGN_TEMPORAL_UI_ORIGIN: url(/^https?$/, 'https://host')
    .refine((text) => new URL(text).origin === text, 'must be an origin of the form https://host, without a path')
    .optional(),
  COUNTERSIGN_OPERATOR_TENANT: z.string().min(1).optional(),
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
  COUNTERSIGN_METRICS_HOST: z.string().min(1).default('127.0.0.1'),
  COUNTERSIGN_METRICS_PORT: port.optional(),
  COUNTERSIGN_API_METRICS_PORT: port.optional(),
  COUNTERSIGN_DRAIN_SECONDS: z.coerce.number({ error: 'must be a number' }).min(0, 'must be at least 0').max(60, 'must be at most 60').optional(),
  COUNTERSIGN_SWEEP_SECONDS: z.coerce
    .number({ error: 'must be a number of seconds' })
    .int('must be whole seconds')
    .min(5, 'must be 5 to 60')
    // A person's move that was stored while the engine was away is valid for two minutes.
    .max(60, 'must be 5 to 60')
    .default(10),
  COUNTERSIGN_DEPLOYMENT: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,100}$/, 'must be a name of letters, digits, - and _')
    .optional(),
  COUNTERSIGN_BUILD_ID: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,100}$/, 'must be letters, digits, dots, - and _')
    .optional(),
  COUNTERSIGN_WORKFLOW_BUNDLE: z.string().optional(),
  COUNTERSIGN_WEBHOOK_URL: url(/^https?$/, 'https://host/path').optional(),
  COUNTERSIGN_WEBHOOK_SECRETS: secrets.optional(),
  COUNTERSIGN_CREDENTIAL_HOOK: url(/^https?$/, 'https://host/path').optional(),
  COUNTERSIGN_CREDENTIAL_HOOK_SECRETS: secrets.optional(),
  COUNTERSIGN_PROVIDERS: z
    .string()
    .transform((text, { addIssue }) => {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        addIssue('must be JSON such as {"crm": {"url": "https://crm.example.com/facts", "secrets": "whsec_…"}}');
        return z.NEVER;
      }
    })
    .pipe(
      z.record(
        z.string().regex(/^[a-z][a-z0-9_]{0,63}$/, 'must name each provider by lower-case letters, digits and _'),
        z.strictObject({ url: url(/^https?$/, 'https://host/path'), secrets, tenants: z.array(z.string().min(1)).min(1).optional() }),
        {
          error: ({ code }) =>
            code === 'invalid_key' ? 'must name each provider by lower-case letters, digits and _' : 'must be an object of providers by name',
        },
      ),
    )
    .optional(),
  COUNTERSIGN_DIRECTORY_FILE: z.string().min(1).optional(),
  COUNTERSIGN_DIRECTORY_TENANT: z.string().min(1).optional(),
  LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], { error: 'must be fatal, error, warn, info, debug, trace or silent' })
    .default('info'),
});

/** A load balancer that asks every few seconds has noticed by then. */
const DRAIN_SECONDS = 5;

/** Every setting that the worker or the API reads, and its default as text; docs/settings.md is held to them. */
export const SETTINGS: readonly { readonly name: string; readonly preset: string | null }[] = Object.entries(Settings.shape).map(([name, field]) => ({
  name,
  preset: field instanceof z.ZodDefault ? String(field.def.defaultValue) : null,
}));

/** How to reach the engine: all that a program needs which does nothing else. */
const Reach = Settings.pick({
  TEMPORAL_ADDRESS: true,
  TEMPORAL_TLS: true,
  TEMPORAL_API_KEY: true,
  TEMPORAL_TLS_SERVER_CA_CERT_PATH: true,
  TEMPORAL_TLS_CLIENT_CERT_PATH: true,
  TEMPORAL_TLS_CLIENT_KEY_PATH: true,
  TEMPORAL_TLS_SERVER_NAME: true,
});

type Raw = z.output<typeof Settings>;
type RawReach = z.output<typeof Reach>;
/** Where the store is and who owns it: all that a migration needs. */
const StoreUrls = Settings.pick({ DATABASE_URL: true, DATABASE_ADMIN_URL: true }).required();
/** Where the engine is, and the namespace to make there. */
const Namespace = Reach.extend({
  TEMPORAL_NAMESPACE: Settings.shape.TEMPORAL_NAMESPACE,
  COUNTERSIGN_RETENTION_DAYS: z.coerce
    .number({ error: 'must be a number of days' })
    .int('must be whole days')
    .min(1, 'must be 1 to 365')
    .max(365, 'must be 1 to 365')
    .default(30),
});

export interface StoreUrls {
  readonly databaseUrl: string;
  readonly databaseAdminUrl: string;
}
export interface NamespaceSettings extends EngineReach {
  readonly temporalNamespace: string;
  /** Days for which the engine keeps runs that have ended; the record keeps everything. */
  readonly retentionDays: number;
}

export type EngineReach = Pick<
  Config,
  'temporalAddress' | 'temporalTls' | 'temporalApiKey' | 'temporalTlsCaFile' | 'temporalTlsCertFile' | 'temporalTlsKeyFile' | 'temporalTlsServerName'
>;

/** An empty value is the same as none: shells and compose files cannot always leave one out. */
const present = (env: NodeJS.ProcessEnv): Record<string, string> =>
  Object.fromEntries(Object.entries(env).flatMap(([name, value]) => (value === undefined || value === '' ? [] : [[name, value]])));

export function readConfig(env: NodeJS.ProcessEnv, program: Program): Config {
  const raw = parsed(Settings, env);
  const problems = [...reachConflicts(raw), ...conflicts(raw, program)];
  if (problems.length > 0) throw new ConfigError(problems);
  return settled(raw);
}

/** The settings of the engine alone, with the same checks. */
export function readReach(env: NodeJS.ProcessEnv): EngineReach {
  const raw = parsed(Reach, env);
  const problems = reachConflicts(raw);
  if (problems.length > 0) throw new ConfigError(problems);
  return reachOf(raw);
}

/** The settings of a migration, with the same checks. */
export function readStoreUrls(env: NodeJS.ProcessEnv): StoreUrls {
  const raw = parsed(StoreUrls, env);
  return { databaseUrl: raw.DATABASE_URL, databaseAdminUrl: raw.DATABASE_ADMIN_URL };
}

/** The settings of the program that makes the namespace, with the same checks. */
export function readNamespace(env: NodeJS.ProcessEnv): NamespaceSettings {
  const raw = parsed(Namespace, env);
  const problems = reachConflicts(raw);
  if (problems.length > 0) throw new ConfigError(problems);
  return { ...reachOf(raw), temporalNamespace: raw.TEMPORAL_NAMESPACE, retentionDays: raw.COUNTERSIGN_RETENTION_DAYS };
}

function parsed<T>(schema: z.ZodType<T>, env: NodeJS.ProcessEnv): T {
  const result = schema.safeParse(present(env));
  if (result.success) return result.data;
  throw new ConfigError(result.error.issues.map((issue) => `${issue.path.join('.')} ${say(issue, env)}`));
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
  refuseIn(
    raw.COUNTERSIGN_METRICS_PORT !== undefined && raw.COUNTERSIGN_METRICS_PORT === raw.COUNTERSIGN_API_METRICS_PORT,
    'COUNTERSIGN_API_METRICS_PORT',
    "must be another port than COUNTERSIGN_METRICS_PORT, which is the worker's",
  );
  refuseIn(
    raw.COUNTERSIGN_API_METRICS_PORT !== undefined && raw.COUNTERSIGN_API_METRICS_PORT === raw.COUNTERSIGN_API_PORT,
    'COUNTERSIGN_API_METRICS_PORT',
    'must be another port than COUNTERSIGN_API_PORT, which agents and people use',
  );
  refuseIn(
    (raw.COUNTERSIGN_DEPLOYMENT === undefined) !== (raw.COUNTERSIGN_BUILD_ID === undefined),
    'COUNTERSIGN_DEPLOYMENT',
    'and COUNTERSIGN_BUILD_ID are given together or not at all',
  );
  refuseIn(
    (raw.COUNTERSIGN_DIRECTORY_FILE === undefined) !== (raw.COUNTERSIGN_DIRECTORY_TENANT === undefined),
    'COUNTERSIGN_DIRECTORY_FILE',
    'and COUNTERSIGN_DIRECTORY_TENANT are given together or not at all',
  );
  refuseIn(
    (raw.COUNTERSIGN_WEBHOOK_URL === undefined) !== (raw.COUNTERSIGN_WEBHOOK_SECRETS === undefined),
    'COUNTERSIGN_WEBHOOK_URL',
    'and COUNTERSIGN_WEBHOOK_SECRETS are given together or not at all',
  );
  refuseIn(
    raw.COUNTERSIGN_WEBHOOK_URL?.startsWith('http:') === true && !raw.COUNTERSIGN_ALLOW_LOOPBACK,
    'COUNTERSIGN_WEBHOOK_URL',
    'must begin with https://; http is for this machine alone, with COUNTERSIGN_ALLOW_LOOPBACK in development',
  );
  refuseIn(
    (raw.COUNTERSIGN_CREDENTIAL_HOOK === undefined) !== (raw.COUNTERSIGN_CREDENTIAL_HOOK_SECRETS === undefined),
    'COUNTERSIGN_CREDENTIAL_HOOK',
    'and COUNTERSIGN_CREDENTIAL_HOOK_SECRETS are given together or not at all',
  );
  refuseIn(
    raw.COUNTERSIGN_CREDENTIAL_HOOK?.startsWith('http:') === true && !raw.COUNTERSIGN_ALLOW_LOOPBACK,
    'COUNTERSIGN_CREDENTIAL_HOOK',
    'must begin with https://; http is for this machine alone, with COUNTERSIGN_ALLOW_LOOPBACK in development',
  );
  for (const [name, { url: address }] of Object.entries(raw.COUNTERSIGN_PROVIDERS ?? {}))
    refuseIn(
      address.startsWith('http:') && !raw.COUNTERSIGN_ALLOW_LOOPBACK,
      `COUNTERSIGN_PROVIDERS.${name}.url`,
      'must begin with https://; http is for this machine alone, with COUNTERSIGN_ALLOW_LOOPBACK in development',
    );
  const noPayloadKeys = raw.COUNTERSIGN_PAYLOAD_KEYS_FILE === undefined;
  refuseIn(noPayloadKeys && raw.COUNTERSIGN_PAYLOADS === 'encrypted', 'COUNTERSIGN_PAYLOAD_KEYS_FILE', 'is required with COUNTERSIGN_PAYLOADS=encrypted');
  refuseIn(
    noPayloadKeys && production && raw.COUNTERSIGN_PAYLOADS === undefined,
    'COUNTERSIGN_PAYLOAD_KEYS_FILE',
    "is required in production: it encrypts what the engine's histories hold; make one with `countersign keys payload new`, or say COUNTERSIGN_PAYLOADS=plain",
  );
  return problems;
}

function reachConflicts(raw: RawReach): string[] {
  const halfPair = (raw.TEMPORAL_TLS_CLIENT_CERT_PATH === undefined) !== (raw.TEMPORAL_TLS_CLIENT_KEY_PATH === undefined);
  return [
    ...(halfPair ? ['TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH are given together or not at all'] : []),
    ...(raw.TEMPORAL_TLS === false && wantsTls(raw) ? ['TEMPORAL_TLS is false, but an API key or a certificate is given, and neither is sent in clear'] : []),
  ];
}

/** Whether anything is given that only makes sense over TLS. */
const wantsTls = (raw: RawReach): boolean =>
  [raw.TEMPORAL_API_KEY, raw.TEMPORAL_TLS_SERVER_CA_CERT_PATH, raw.TEMPORAL_TLS_CLIENT_CERT_PATH, raw.TEMPORAL_TLS_SERVER_NAME].some(
    (given) => given !== undefined,
  );

const reachOf = (raw: RawReach): EngineReach => ({
  temporalAddress: raw.TEMPORAL_ADDRESS,
  temporalTls: raw.TEMPORAL_TLS ?? wantsTls(raw),
  temporalApiKey: raw.TEMPORAL_API_KEY ?? null,
  temporalTlsCaFile: raw.TEMPORAL_TLS_SERVER_CA_CERT_PATH ?? null,
  temporalTlsCertFile: raw.TEMPORAL_TLS_CLIENT_CERT_PATH ?? null,
  temporalTlsKeyFile: raw.TEMPORAL_TLS_CLIENT_KEY_PATH ?? null,
  temporalTlsServerName: raw.TEMPORAL_TLS_SERVER_NAME ?? null,
});

const settled = (raw: Raw): Config => ({
  environment: raw.COUNTERSIGN_ENV,
  development: raw.COUNTERSIGN_ENV === 'development',
  databaseUrl: raw.DATABASE_URL,
  databaseAdminUrl: raw.DATABASE_ADMIN_URL ?? null,
  ...reachOf(raw),
  temporalNamespace: raw.TEMPORAL_NAMESPACE,
  payloadKeysFile: raw.COUNTERSIGN_PAYLOAD_KEYS_FILE ?? null,
  payloadsPlain: raw.COUNTERSIGN_PAYLOADS === 'plain',
  temporalUiOrigin: raw.COUNTERSIGN_TEMPORAL_UI_ORIGIN ?? null,
  operatorTenant: raw.COUNTERSIGN_OPERATOR_TENANT ?? null,
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
  metricsHost: raw.COUNTERSIGN_METRICS_HOST,
  metricsPort: raw.COUNTERSIGN_METRICS_PORT ?? null,
  apiMetricsPort: raw.COUNTERSIGN_API_METRICS_PORT ?? null,
  drainMs: 1000 * (raw.COUNTERSIGN_DRAIN_SECONDS ?? (raw.COUNTERSIGN_ENV === 'production' ? DRAIN_SECONDS : 0)),
  sweepSeconds: raw.COUNTERSIGN_SWEEP_SECONDS,
  deploymentName: raw.COUNTERSIGN_DEPLOYMENT ?? null,
  buildId: raw.COUNTERSIGN_BUILD_ID ?? null,
  workflowBundle: raw.COUNTERSIGN_WORKFLOW_BUNDLE ?? null,
  webhookUrl: raw.COUNTERSIGN_WEBHOOK_URL ?? null,
  webhookSecrets: raw.COUNTERSIGN_WEBHOOK_SECRETS ?? [],
  credentialHook: raw.COUNTERSIGN_CREDENTIAL_HOOK ?? null,
  credentialHookSecrets: raw.COUNTERSIGN_CREDENTIAL_HOOK_SECRETS ?? [],
  providers: Object.fromEntries(Object.entries(raw.COUNTERSIGN_PROVIDERS ?? {}).map(([name, { tenants = null, ...where }]) => [name, { ...where, tenants }])),
  directoryFile: raw.COUNTERSIGN_DIRECTORY_FILE ?? null,
  directoryTenant: raw.COUNTERSIGN_DIRECTORY_TENANT ?? null,
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
