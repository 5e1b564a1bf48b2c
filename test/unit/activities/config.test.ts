/** The settings: what is missing or wrong is named whole, and development's own are refused in production. */
import { ConfigError, readConfig as readFor, type Config } from '../../../activities/config';

const readConfig = (env: NodeJS.ProcessEnv): Config => readFor(env, 'worker');

const least = { DATABASE_URL: 'postgres://app:secret@127.0.0.1:5432/countersign', COUNTERSIGN_KEYS_FILE: '/keys.json' };
const development = { ...least, COUNTERSIGN_ENV: 'development' };
const production = { ...least, COUNTERSIGN_PUBLIC_URL: 'https://approvals.example/', SMTP_URL: 'smtps://mail.example:465' };

function refused(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    readConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  throw new Error('the settings were accepted');
}

it('without a word about the environment it is production', () => {
  expect(readConfig(production)).toMatchObject({ environment: 'production', development: false, clock: 'database', timeScale: 1, allowLoopback: false });
});

it('fills in what development need not say', () => {
  expect(readConfig(development)).toMatchObject({
    temporalAddress: '127.0.0.1:7233',
    temporalNamespace: 'default',
    temporalTls: false,
    taskQueue: 'countersign',
    apiPort: 8700,
    publicUrl: 'http://localhost:8700',
    smtpUrl: null,
    clockOrigin: null,
  });
});

it('an empty value is the same as none, and a public URL loses its slash', () => {
  expect(readConfig({ ...production, COUNTERSIGN_API_PORT: '', LOG_LEVEL: '' })).toMatchObject({
    apiPort: 8700,
    logLevel: 'info',
    publicUrl: 'https://approvals.example',
  });
});

it('an API key of the engine implies TLS, unless TLS is refused by name', () => {
  expect(readConfig({ ...production, TEMPORAL_API_KEY: 'k' }).temporalTls).toBe(true);
  expect(readConfig({ ...production, TEMPORAL_API_KEY: 'k', TEMPORAL_TLS: 'false' }).temporalTls).toBe(false);
});

it('names every problem at once, in one sentence, and repeats no value that may hold a password', () => {
  const env = { DATABASE_URL: 'mysql://app:secret@host/db', COUNTERSIGN_API_PORT: '99999', TEMPORAL_ADDRESS: 'nowhere' };
  expect(refused(env).map((problem) => problem.split(' ', 1)[0])).toEqual([
    'DATABASE_URL',
    'TEMPORAL_ADDRESS',
    'COUNTERSIGN_KEYS_FILE',
    'COUNTERSIGN_API_PORT',
  ]);
  expect(() => readConfig(env)).toThrow(/^The settings cannot be used: .*[^.]\.$/);
  expect(refused(env).join()).not.toContain('secret');
});

it.each([
  ['COUNTERSIGN_CLOCK', { COUNTERSIGN_CLOCK: 'engine' }],
  ['COUNTERSIGN_TIME_SCALE', { COUNTERSIGN_TIME_SCALE: '60' }],
  ['COUNTERSIGN_ALLOW_LOOPBACK', { COUNTERSIGN_ALLOW_LOOPBACK: 'true' }],
  ['COUNTERSIGN_PUBLIC_URL', { COUNTERSIGN_PUBLIC_URL: '' }],
  ['SMTP_URL', { SMTP_URL: '' }],
])('production refuses %s as development may have it', (name, more) => {
  expect(refused({ ...production, ...more })).toEqual([expect.stringMatching(new RegExp(`^${name} .*production`))]);
});

it('only the worker sends mail, so the API needs no mail server', () => {
  expect(readFor({ ...production, SMTP_URL: '' }, 'api')).toMatchObject({ environment: 'production', smtpUrl: null, apiHost: '127.0.0.1' });
});

describe('a faster clock', () => {
  const scaled = { ...development, COUNTERSIGN_CLOCK: 'scaled', COUNTERSIGN_CLOCK_ORIGIN: '2026-01-05T10:00:00+01:00', COUNTERSIGN_TIME_SCALE: '120' };

  it('runs in development from the origin that it names', () => {
    expect(readConfig(scaled)).toMatchObject({ clock: 'scaled', clockOrigin: '2026-01-05T09:00:00.000Z', timeScale: 120 });
  });

  it('needs an origin, and a scale or an origin need it', () => {
    expect(refused({ ...scaled, COUNTERSIGN_CLOCK_ORIGIN: '' })).toEqual(['COUNTERSIGN_CLOCK_ORIGIN is required with COUNTERSIGN_CLOCK=scaled']);
    expect(refused({ ...scaled, COUNTERSIGN_CLOCK: 'database' })).toEqual([
      'COUNTERSIGN_TIME_SCALE needs COUNTERSIGN_CLOCK=scaled',
      'COUNTERSIGN_CLOCK_ORIGIN needs COUNTERSIGN_CLOCK=scaled',
    ]);
  });
});
