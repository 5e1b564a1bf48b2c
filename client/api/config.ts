/**
 * What the API process is told by its environment: validated once, at start, from an object that is handed in.
 * The names are those of the worker's configuration. Must not read the environment at import.
 */
import { z } from 'zod';

const flag = z.enum(['true', 'false', '1', '0']).default('false').transform((v) => v === 'true' || v === '1');
const url = (protocols: readonly string[]) =>
  z.string({ error: 'is missing' }).refine((text) => URL.canParse(text) && protocols.includes(new URL(text).protocol), { message: `must be a URL that starts with ${protocols.map((p) => `${p}//`).join(' or ')}` });

const ConfigSchema = z
  .object({
    COUNTERSIGN_ENV: z.enum(['development', 'production']).default('production'),
    DATABASE_URL: url(['postgres:', 'postgresql:']),
    TEMPORAL_ADDRESS: z.string().min(1).default('127.0.0.1:7233'),
    TEMPORAL_NAMESPACE: z.string().min(1).default('default'),
    TEMPORAL_API_KEY: z.string().min(1).optional(),
    TEMPORAL_TLS: flag,
    COUNTERSIGN_KEYS_FILE: z.string({ error: 'is missing' }).min(1),
    COUNTERSIGN_API_PORT: z.coerce.number().int().min(0).max(65_535).default(8700),
    COUNTERSIGN_API_HOST: z.string().min(1).default('127.0.0.1'),
    COUNTERSIGN_PUBLIC_URL: url(['http:', 'https:']).optional(),
    COUNTERSIGN_CLOCK: z.enum(['database', 'engine', 'scaled']).default('database'),
    COUNTERSIGN_CLOCK_ORIGIN: z.iso.datetime().optional(),
    COUNTERSIGN_TIME_SCALE: z.coerce.number().positive().max(100_000).default(1),
    COUNTERSIGN_ALLOW_LOOPBACK: flag,
    COUNTERSIGN_TASK_QUEUE: z.string().min(1).default('countersign'),
    LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
  })
  .superRefine((config, context) => {
    const development = config.COUNTERSIGN_ENV === 'development';
    const only = (name: string, set: boolean): void => {
      if (set && !development) context.addIssue({ code: 'custom', path: [name], message: 'is for COUNTERSIGN_ENV=development only' });
    };
    only('COUNTERSIGN_CLOCK', config.COUNTERSIGN_CLOCK !== 'database');
    only('COUNTERSIGN_ALLOW_LOOPBACK', config.COUNTERSIGN_ALLOW_LOOPBACK);
    if (config.COUNTERSIGN_CLOCK === 'scaled' && config.COUNTERSIGN_CLOCK_ORIGIN === undefined) {
      context.addIssue({ code: 'custom', path: ['COUNTERSIGN_CLOCK_ORIGIN'], message: 'is needed when COUNTERSIGN_CLOCK=scaled' });
    }
  });

export type ApiConfig = z.output<typeof ConfigSchema>;

/** A setting that is missing or malformed: one sentence that names each. */
export class ConfigError extends Error {
  readonly code = 'bad_config';
  constructor(message: string) {
    super(message);
    this.name = 'ConfigError';
  }
}

export function readConfig(env: Readonly<Record<string, string | undefined>>): ApiConfig {
  // An empty value is the same as none, as for the worker.
  const parsed = ConfigSchema.safeParse(Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== '')));
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')} ${issue.message.charAt(0).toLowerCase()}${issue.message.slice(1)}`);
  throw new ConfigError(`The API cannot start with these settings: ${faults.join('; ')}`);
}
