/**
 * docker-compose.yml as the Compose specification's loader understands it, and what the loader says of a file that is none.
 */
import { spawnSync } from 'node:child_process';
import { z } from 'zod';

const Healthcheck = z.object({ test: z.array(z.string()), interval: z.string(), timeout: z.string(), retries: z.number(), start_period: z.string() });
const Service = z.object({
  image: z.string(),
  build: z.object({ context: z.string(), dockerfile: z.string() }).optional(),
  command: z.array(z.string()).nullable(),
  environment: z.record(z.string(), z.string()).default({}),
  depends_on: z
    .record(z.string(), z.object({ condition: z.enum(['service_healthy', 'service_completed_successfully', 'service_started']), required: z.boolean() }))
    .default({}),
  expose: z.array(z.string()).default([]),
  ports: z.array(z.object({ target: z.number(), published: z.string().optional(), host_ip: z.string().optional() })).default([]),
  secrets: z.array(z.object({ source: z.string(), target: z.string() })).default([]),
  volumes: z.array(z.object({ type: z.enum(['bind', 'volume']), source: z.string(), target: z.string(), read_only: z.boolean().default(false) })).default([]),
  networks: z.record(z.string(), z.unknown()).default({}),
  healthcheck: Healthcheck.optional(),
  restart: z.string(),
  stop_grace_period: z.string().default('10s'),
  user: z.string().optional(),
  read_only: z.boolean().default(false),
  cap_drop: z.array(z.string()).default([]),
  security_opt: z.array(z.string()).default([]),
  profiles: z.array(z.string()).default([]),
  deploy: z.object({ resources: z.object({ limits: z.object({ cpus: z.number(), memory: z.string(), pids: z.number() }) }) }).optional(),
});
const Project = z.object({
  name: z.string(),
  services: z.record(z.string(), Service),
  networks: z.record(z.string(), z.object({ internal: z.boolean().default(false) })),
  secrets: z.record(z.string(), z.object({ file: z.string() })),
  volumes: z.record(z.string(), z.unknown()),
});

export type Service = z.output<typeof Service>;
export type Project = z.output<typeof Project>;

export interface Loaded {
  readonly valid: boolean;
  /** Why not. */
  readonly said: string;
  readonly project: Project | null;
}

export interface LoadProject {
  /** The path of `compose-check`. */
  readonly check: string;
  readonly file: string;
  /** The values of its variables, COMPOSE_PROFILES among them, as a file. */
  readonly envFile?: string;
}

/** The project as the loader normalises it. */
export function loadProject({ check, file, envFile }: LoadProject): Loaded {
  const args = ['project', ...(envFile === undefined ? [] : ['-env-file', envFile]), file];
  const { status, stdout, stderr } = spawnSync(check, args, { encoding: 'utf8', env: {}, maxBuffer: 16 * 1024 * 1024 });
  return { valid: status === 0, said: stderr.trim(), project: status === 0 ? Project.parse(JSON.parse(stdout)) : null };
}

export interface Finding {
  readonly ruleName: string;
  readonly detail: string;
}

/** What BuildKit's linter finds in a Dockerfile; `said` where it cannot even be read. */
export function lintDockerfile(check: string, file: string): { readonly findings: readonly Finding[]; readonly said: string } {
  const { stdout, stderr } = spawnSync(check, ['dockerfile', file], { encoding: 'utf8', env: {} });
  return { findings: JSON.parse(stdout) as Finding[], said: stderr.trim() };
}

/** Milliseconds of a duration as the loader writes it: `1m0s`, `40s`. */
export function durationMs(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|h|m|s)/g)];
  if (parts.length === 0) throw new Error(`${text} is not a duration`);
  const unit = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };
  return parts.reduce((sum, [, amount, of]) => sum + Number(amount) * unit[of as keyof typeof unit], 0);
}
