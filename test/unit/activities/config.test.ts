/** The settings: what is missing or wrong is named whole, and development's own are refused in production. */
import { ConfigError, readConfig as readFor, type Config } from '../../../activities/config';

const readConfig = (env: NodeJS.ProcessEnv): Config => readFor(env, 'worker');

const least = { DATABASE_URL: 'postgres://app:secret@127.0.0.1:5432/countersign', COUNTERSIGN_KEYS_FILE: '/keys.json' };
const development = { ...least, COUNTERSIGN_ENV: 'development' };
const production = {
  ...least,
  COUNTERSIGN_PUBLIC_URL: 'https://approvals.example/',
  SMTP_URL: 'smtps://mail.example:465',
  COUNTERSIGN_PAYLOAD_KEYS_FILE: '/payload-keys.json',
};

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

describe('TLS to the engine', () => {
  it.each([
    ['TEMPORAL_API_KEY', { TEMPORAL_API_KEY: 'k' }],
    ['TEMPORAL_TLS_SERVER_CA_CERT_PATH', { TEMPORAL_TLS_SERVER_CA_CERT_PATH: '/ca.pem' }],
    ['TEMPORAL_TLS_CLIENT_CERT_PATH', { TEMPORAL_TLS_CLIENT_CERT_PATH: '/c.pem', TEMPORAL_TLS_CLIENT_KEY_PATH: '/k.pem' }],
    ['TEMPORAL_TLS_SERVER_NAME', { TEMPORAL_TLS_SERVER_NAME: 'cluster.example' }],
  ])('is implied by %s, and cannot be switched off beside it', (_, more) => {
    expect(readConfig({ ...production, ...more }).temporalTls).toBe(true);
    expect(refused({ ...production, ...more, TEMPORAL_TLS: 'false' })).toEqual([
      'TEMPORAL_TLS is false, but an API key or a certificate is given, and neither is sent in clear',
    ]);
  });

  it('a client certificate and its key are given together', () => {
    expect(refused({ ...production, TEMPORAL_TLS_CLIENT_CERT_PATH: '/c.pem' })).toEqual([
      'TEMPORAL_TLS_CLIENT_CERT_PATH and TEMPORAL_TLS_CLIENT_KEY_PATH are given together or not at all',
    ]);
  });
});

it('ports for those who watch are three different ones, and off unless set', () => {
  expect(readConfig(production)).toMatchObject({ metricsHost: '127.0.0.1', metricsPort: null, apiMetricsPort: null });
  const metrics = { COUNTERSIGN_METRICS_PORT: '9464' };
  expect(refused({ ...production, ...metrics, COUNTERSIGN_API_METRICS_PORT: '9464' })).toEqual([
    "COUNTERSIGN_API_METRICS_PORT must be another port than COUNTERSIGN_METRICS_PORT, which is the worker's",
  ]);
  expect(refused({ ...production, COUNTERSIGN_API_METRICS_PORT: '8700' })).toEqual([
    'COUNTERSIGN_API_METRICS_PORT must be another port than COUNTERSIGN_API_PORT, which agents and people use',
  ]);
});

it('a stopping API drains for five seconds in production, not at all in development, and for a minute at most', () => {
  expect([readConfig(production).drainMs, readConfig(development).drainMs]).toEqual([5_000, 0]);
  expect(readConfig({ ...production, COUNTERSIGN_DRAIN_SECONDS: '20' }).drainMs).toBe(20_000);
  expect(refused({ ...production, COUNTERSIGN_DRAIN_SECONDS: '61' })).toEqual(['COUNTERSIGN_DRAIN_SECONDS must be at most 60']);
});

it('a deployment and a build are given together, in letters that the engine takes', () => {
  expect(readConfig({ ...production, COUNTERSIGN_DEPLOYMENT: 'countersign', COUNTERSIGN_BUILD_ID: '1.2.0-rc.1' })).toMatchObject({
    deploymentName: 'countersign',
    buildId: '1.2.0-rc.1',
  });
  expect(refused({ ...production, COUNTERSIGN_BUILD_ID: '1' })).toEqual(['COUNTERSIGN_DEPLOYMENT and COUNTERSIGN_BUILD_ID are given together or not at all']);
  expect(refused({ ...production, COUNTERSIGN_DEPLOYMENT: 'a.b', COUNTERSIGN_BUILD_ID: '1' })).toEqual([
    'COUNTERSIGN_DEPLOYMENT must be a name of letters, digits, - and _',
  ]);
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
  ['COUNTERSIGN_PAYLOAD_KEYS_FILE', { COUNTERSIGN_PAYLOAD_KEYS_FILE: '' }],
])('production refuses %s as development may have it', (name, more) => {
  expect(refused({ ...production, ...more })).toEqual([expect.stringMatching(new RegExp(`^${name} .*production`))]);
});

it('only the worker sends mail, so the API needs no mail server', () => {
  expect(readFor({ ...production, SMTP_URL: '' }, 'api')).toMatchObject({ environment: 'production', smtpUrl: null, apiHost: '127.0.0.1' });
});

describe('payload encryption', () => {
  it('is on in production unless somebody says that it is not; development may leave it out', () => {
    expect(readConfig(production)).toMatchObject({ payloadKeysFile: '/payload-keys.json', payloadsPlain: false });
    expect(readConfig({ ...production, COUNTERSIGN_PAYLOAD_KEYS_FILE: '', COUNTERSIGN_PAYLOADS: 'plain' })).toMatchObject({
      payloadKeysFile: null,
      payloadsPlain: true,
    });
    expect(readConfig(development)).toMatchObject({ payloadKeysFile: null, payloadsPlain: false });
  });

  it('asked for by name, it needs its keys everywhere', () => {
    expect(refused({ ...development, COUNTERSIGN_PAYLOADS: 'encrypted' })).toEqual([
      'COUNTERSIGN_PAYLOAD_KEYS_FILE is required with COUNTERSIGN_PAYLOADS=encrypted',
    ]);
    expect(refused({ ...development, COUNTERSIGN_PAYLOADS: 'no' })).toEqual(['COUNTERSIGN_PAYLOADS must be encrypted or plain']);
  });

  it('opens the codec endpoint to one origin, written as browsers write it', () => {
    expect(readConfig({ ...production, COUNTERSIGN_TEMPORAL_UI_ORIGIN: 'https://temporal.example' }).temporalUiOrigin).toBe('https://temporal.example');
    expect(refused({ ...production, COUNTERSIGN_TEMPORAL_UI_ORIGIN: 'https://temporal.example/ui' })).toEqual([
      'COUNTERSIGN_TEMPORAL_UI_ORIGIN must be an origin of the form https://host, without a path',
    ]);
  });
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

describe('the webhook', () => {
  const secret = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;
  const other = `whsec_${Buffer.alloc(32, 4).toString('base64')}`;

  it('has an address and secrets, several while they change; or there is none', () => {
    expect(readConfig(production)).toMatchObject({ webhookUrl: null, webhookSecrets: [] });
    const env = { ...production, COUNTERSIGN_WEBHOOK_URL: 'https://hooks.example/countersign', COUNTERSIGN_WEBHOOK_SECRETS: ` ${other}  ${secret} ` };
    expect(readConfig(env)).toMatchObject({ webhookUrl: 'https://hooks.example/countersign', webhookSecrets: [other, secret] });
  });

  it.each([
    ['COUNTERSIGN_WEBHOOK_URL', { COUNTERSIGN_WEBHOOK_URL: 'https://hooks.example/' }],
    ['COUNTERSIGN_WEBHOOK_URL', { COUNTERSIGN_WEBHOOK_SECRETS: secret }],
    ['COUNTERSIGN_WEBHOOK_URL', { COUNTERSIGN_WEBHOOK_URL: 'http://hooks.example/', COUNTERSIGN_WEBHOOK_SECRETS: secret }],
    ['COUNTERSIGN_WEBHOOK_SECRETS', { COUNTERSIGN_WEBHOOK_URL: 'https://hooks.example/', COUNTERSIGN_WEBHOOK_SECRETS: '   ' }],
    ['COUNTERSIGN_WEBHOOK_SECRETS.0', { COUNTERSIGN_WEBHOOK_URL: 'https://hooks.example/', COUNTERSIGN_WEBHOOK_SECRETS: 'hunter2' }],
  ])('%s is refused where it cannot work, without repeating a secret', (name, more) => {
    const problems = refused({ ...production, ...more });
    expect(problems).toEqual([expect.stringMatching(new RegExp(`^${name} `))]);
    expect(problems.join()).not.toMatch(/hunter2|whsec_[A-Za-z0-9]/);
  });
});

describe('the providers', () => {
  const secret = `whsec_${Buffer.alloc(32, 6).toString('base64')}`;
  const crm = { url: 'https://crm.example/facts', secrets: secret };

  it('have an address, secrets and perhaps tenants, by name; or there are none', () => {
    expect(readConfig(production)).toMatchObject({ providers: {} });
    const env = { ...production, COUNTERSIGN_PROVIDERS: JSON.stringify({ crm, ops: { ...crm, secrets: `${secret} ${secret}`, tenants: ['acme'] } }) };
    expect(readConfig(env).providers).toEqual({
      crm: { url: crm.url, secrets: [secret], tenants: null },
      ops: { url: crm.url, secrets: [secret, secret], tenants: ['acme'] },
    });
  });

  it.each([
    ['COUNTERSIGN_PROVIDERS must be JSON', 'hunter2'],
    ['COUNTERSIGN_PROVIDERS must be an object', '["hunter2"]'],
    ['COUNTERSIGN_PROVIDERS.hunter.url', JSON.stringify({ hunter: { ...crm, url: 'ftp://hunter2/' } })],
    ['COUNTERSIGN_PROVIDERS.crm.url must begin with https', JSON.stringify({ crm: { ...crm, url: 'http://hunter2/' } })],
    ['COUNTERSIGN_PROVIDERS.crm.secrets', JSON.stringify({ crm: { ...crm, secrets: 'hunter2' } })],
    ['COUNTERSIGN_PROVIDERS.crm.tenants', JSON.stringify({ crm: { ...crm, tenants: [] } })],
    ['COUNTERSIGN_PROVIDERS.Hunter2 must name', JSON.stringify({ Hunter2: crm })],
  ])('%s: refused in a sentence, without what was given', (start, given) => {
    const problems = refused({ ...production, COUNTERSIGN_PROVIDERS: given });
    expect(problems).toEqual([expect.stringMatching(new RegExp(`^${start.replaceAll('.', '\\.')}`))]);
    expect(problems.join()).not.toMatch(/hunter2|whsec_[A-Za-z0-9]/);
  });
});

describe('the credential hook', () => {
  const secret = `whsec_${Buffer.alloc(32, 5).toString('base64')}`;
  const hook = 'https://credentials.example/disable';

  it('has an address and secrets, or there is none', () => {
    expect(readConfig(production)).toMatchObject({ credentialHook: null, credentialHookSecrets: [] });
    expect(readConfig({ ...production, COUNTERSIGN_CREDENTIAL_HOOK: hook, COUNTERSIGN_CREDENTIAL_HOOK_SECRETS: secret })).toMatchObject({
      credentialHook: hook,
      credentialHookSecrets: [secret],
    });
  });

  it.each([
    ['COUNTERSIGN_CREDENTIAL_HOOK', { COUNTERSIGN_CREDENTIAL_HOOK: hook }],
    ['COUNTERSIGN_CREDENTIAL_HOOK', { COUNTERSIGN_CREDENTIAL_HOOK_SECRETS: secret }],
    ['COUNTERSIGN_CREDENTIAL_HOOK', { COUNTERSIGN_CREDENTIAL_HOOK: hook.replace('https', 'http'), COUNTERSIGN_CREDENTIAL_HOOK_SECRETS: secret }],
    ['COUNTERSIGN_CREDENTIAL_HOOK_SECRETS.0', { COUNTERSIGN_CREDENTIAL_HOOK: hook, COUNTERSIGN_CREDENTIAL_HOOK_SECRETS: 'hunter2' }],
  ])('%s is refused where it cannot work, without repeating a secret', (name, more) => {
    const problems = refused({ ...production, ...more });
    expect(problems).toEqual([expect.stringMatching(new RegExp(`^${name} `))]);
    expect(problems.join()).not.toMatch(/hunter2|whsec_[A-Za-z0-9]/);
  });
});

it('the sweep keeps its pace within bounds: soon enough for a stored move, and not all the time', () => {
  expect(readConfig(production).sweepSeconds).toBe(10);
  expect(readConfig({ ...production, COUNTERSIGN_SWEEP_SECONDS: '60' }).sweepSeconds).toBe(60);
  for (const seconds of ['4', '61'])
    expect(refused({ ...production, COUNTERSIGN_SWEEP_SECONDS: seconds })).toEqual(['COUNTERSIGN_SWEEP_SECONDS must be 5 to 60']);
  expect(refused({ ...production, COUNTERSIGN_SWEEP_SECONDS: '7.5' })).toEqual(['COUNTERSIGN_SWEEP_SECONDS must be whole seconds']);
  expect(refused({ ...production, COUNTERSIGN_SWEEP_SECONDS: 'often' })).toEqual(['COUNTERSIGN_SWEEP_SECONDS must be a number of seconds']);
});
