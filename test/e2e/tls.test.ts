/**
 * A Temporal cluster behind TLS, client certificates and an API key: what the worker, the API and the launcher's checks do when each is right,
 * and the one sentence they say when one is wrong.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Connection } from '@temporalio/client';
import { readReach } from '../../activities/config';
import { engineAccess } from '../../activities/connect';
import { checkSearchAttributes, registerSearchAttributes, startEngine, type Engine } from '../../workers/engine';
import { openInstallation, type Installation } from '../support/installation';
import { holdPort } from '../support/ports';
import { until } from '../support/processes';
import { refund } from '../support/requests';
import { useStore } from '../support/store';
import { makeAuthority, startTlsProxy, type Authority, type TlsProxy, type TlsProxyOptions } from '../support/tls-proxy';

const KEY = 'tmprl_CANARY-api-key';

let engine: Engine;
let ours: Authority;
let theirs: Authority;
const proxies: TlsProxy[] = [];
let installation: Installation;
afterAll(async () => {
  await installation.close();
  for (const proxy of proxies) await proxy.stop();
  await engine.stop();
  ours.remove();
  theirs.remove();
});
const store = useStore();
beforeAll(async () => {
  [ours, theirs] = [makeAuthority(), makeAuthority()];
  engine = await startEngine({ port: await holdPort(), env: { ...process.env, TEMPORAL_ADDRESS: '' } });
  installation = await openInstallation(store, engine.address);
});

async function proxy(options: Partial<TlsProxyOptions> = {}): Promise<TlsProxy> {
  const started = await startTlsProxy({ to: engine.address, identity: ours.issue('127.0.0.1'), ...options });
  proxies.push(started);
  return started;
}

/** What the check at the worker's start says. */
async function said(env: NodeJS.ProcessEnv): Promise<string> {
  try {
    const reach = readReach(env);
    await checkSearchAttributes(reach.temporalAddress, env['TEMPORAL_NAMESPACE'] ?? 'default', engineAccess(reach));
    return 'ok';
  } catch (error) {
    const { code, message } = error as { readonly code?: string; readonly message: string };
    return `${String(code)}: ${message}`;
  }
}

it('worker and API work through TLS with a client certificate and an API key: an approval is asked, decided and ended', async () => {
  const door = await proxy({ clientCa: ours.ca, apiKey: KEY });
  const client = ours.issue('countersign-worker');
  const env = {
    TEMPORAL_ADDRESS: door.address,
    TEMPORAL_API_KEY: KEY,
    TEMPORAL_TLS_SERVER_CA_CERT_PATH: ours.ca,
    TEMPORAL_TLS_CLIENT_CERT_PATH: client.cert,
    TEMPORAL_TLS_CLIENT_KEY_PATH: client.key,
  };
  const [worker, api] = await Promise.all([installation.startWorker(env), installation.startApi(env)]);
  const { approvalId, packetDigest } = await installation.ask(api, refund(48_000));
  await installation.untilState(approvalId, 'waiting');
  const { status } = await installation.move(api, approvalId, 'fay', { type: 'approve', packet_digest: packetDigest });
  expect({ status, state: await installation.stateOf(approvalId) }).toEqual({ status: 200, state: 'approved' });
  expect((await fetch(`${api.url}/readyz`)).status).toBe(200);
  await until(async () => (await fetch(`${worker.metricsUrl}/readyz`)).status === 200, 'the worker is ready through the proxy');
  expect([...door.authorizations]).toEqual([`Bearer ${KEY}`]);
  expect([...door.clients]).toEqual(['countersign-worker']);
  expect(await worker.stop()).toEqual({ code: 0, signal: null });
  expect(await api.stop()).toEqual({ code: 0, signal: null });
  for (const output of [worker.output(), api.output()]) expect(output).not.toContain(KEY);
});

describe('one sentence without a secret when', () => {
  const cases: readonly [string, (env: { at: string; mutual: string; named: string; keyed: string }) => NodeJS.ProcessEnv, RegExp][] = [
    [
      'the authority is not trusted',
      ({ at }) => ({ TEMPORAL_ADDRESS: at, TEMPORAL_TLS_SERVER_CA_CERT_PATH: theirs.ca }),
      /not signed by an authority that is trusted here .*TEMPORAL_TLS_SERVER_CA_CERT_PATH/,
    ],
    [
      'only the system is trusted',
      ({ at }) => ({ TEMPORAL_ADDRESS: at, TEMPORAL_TLS: 'true' }),
      /not signed by an authority that is trusted here .*TEMPORAL_TLS_SERVER_CA_CERT_PATH/,
    ],
    [
      'the certificate is for another name',
      ({ named }) => ({ TEMPORAL_ADDRESS: named, TEMPORAL_TLS_SERVER_CA_CERT_PATH: ours.ca }),
      /is for another name: set TEMPORAL_TLS_SERVER_NAME/,
    ],
    [
      'the name was corrected',
      ({ named }) => ({ TEMPORAL_ADDRESS: named, TEMPORAL_TLS_SERVER_CA_CERT_PATH: ours.ca, TEMPORAL_TLS_SERVER_NAME: 'cluster.example' }),
      /^ok$/,
    ],
    [
      'a client certificate is missing',
      ({ mutual }) => ({ TEMPORAL_ADDRESS: mutual, TEMPORAL_TLS_SERVER_CA_CERT_PATH: ours.ca }),
      /asks for a client certificate: set TEMPORAL_TLS_CLIENT_CERT_PATH/,
    ],
    [
      'the client certificate is of another authority',
      ({ mutual }) => {
        const { cert, key } = theirs.issue('somebody');
        return { TEMPORAL_ADDRESS: mutual, TEMPORAL_TLS_SERVER_CA_CERT_PATH: ours.ca, TEMPORAL_TLS_CLIENT_CERT_PATH: cert, TEMPORAL_TLS_CLIENT_KEY_PATH: key };
      },
      /does not accept our certificate: set TEMPORAL_TLS_CLIENT_CERT_PATH/,
    ],
    [
      'the client certificate is no certificate',
      ({ mutual }) => {
        const file = join(ours.dir, 'nonsense.pem');
        writeFileSync(file, 'CANARY nonsense');
        return { TEMPORAL_ADDRESS: mutual, TEMPORAL_TLS_SERVER_CA_CERT_PATH: ours.ca, TEMPORAL_TLS_CLIENT_CERT_PATH: file, TEMPORAL_TLS_CLIENT_KEY_PATH: file };
      },
      /certificates for .* are not PEM/,
    ],
    [
      'a file is not there',
      ({ at }) => ({ TEMPORAL_ADDRESS: at, TEMPORAL_TLS_SERVER_CA_CERT_PATH: '/nowhere/ca.pem' }),
      /^bad_settings: .*TEMPORAL_TLS_SERVER_CA_CERT_PATH names \/nowhere\/ca\.pem, which cannot be read \(ENOENT\)/,
    ],
    ['the server speaks TLS and we do not', ({ at }) => ({ TEMPORAL_ADDRESS: at }), /speaks TLS alone: set TEMPORAL_TLS=true/],
    [
      'we speak TLS and the server does not',
      () => ({ TEMPORAL_ADDRESS: engine.address, TEMPORAL_TLS: 'true' }),
      /does not answer in TLS: correct TEMPORAL_ADDRESS, or leave out TEMPORAL_TLS/,
    ],
    [
      'the API key is wrong',
      ({ keyed }) => ({ TEMPORAL_ADDRESS: keyed, TEMPORAL_TLS_SERVER_CA_CERT_PATH: ours.ca, TEMPORAL_API_KEY: 'tmprl_CANARY-expired' }),
      /^engine_refused: .*does not accept the API key: set TEMPORAL_API_KEY/,
    ],
    [
      'no API key is given',
      ({ keyed }) => ({ TEMPORAL_ADDRESS: keyed, TEMPORAL_TLS_SERVER_CA_CERT_PATH: ours.ca }),
      /^engine_refused: .*wants to know who calls: set TEMPORAL_API_KEY/,
    ],
    [
      'the namespace is not there',
      () => ({ TEMPORAL_ADDRESS: engine.address, TEMPORAL_NAMESPACE: 'nowhere' }),
      /^engine_refused: There is no namespace nowhere at /,
    ],
    ['nobody is there', () => ({ TEMPORAL_ADDRESS: '127.0.0.1:1' }), /^engine_unreachable: No Temporal server answers at 127\.0\.0\.1:1/],
  ];

  it('any of the above is wrong: what is wrong, where, and the setting that mends it', async () => {
    const [plain, mutual, named, keyed] = await Promise.all([
      proxy(),
      proxy({ clientCa: ours.ca }),
      proxy({ identity: ours.issue('cluster.example') }),
      proxy({ apiKey: KEY }),
    ]);
    const at = { at: plain.address, mutual: mutual.address, named: named.address, keyed: keyed.address };
    // At once: a client gives up after five seconds, which is what most of them take.
    const answers = await Promise.all(cases.map(async ([name, env, sentence]) => ({ name, sentence, answer: await said(env(at)) })));
    for (const { name, sentence, answer } of answers) {
      expect(`${name}: ${answer}`).toEqual(expect.stringMatching(new RegExp(sentence.source.replace(/^\^/, `^${name}: `))));
      expect(answer).not.toContain('CANARY');
      expect(answer.split('\n')).toHaveLength(1);
    }
  });
});

describe('where only an operator may add search attributes, as on Temporal Cloud', () => {
  it('the worker asks nothing but whether they are there, and says how to add those that are missing', async () => {
    const door = await proxy({ forbidden: ['/AddSearchAttributes'] });
    const env = { TEMPORAL_ADDRESS: door.address, TEMPORAL_TLS_SERVER_CA_CERT_PATH: ours.ca };
    expect(await said(env)).toBe('ok');
    const direct = await Connection.connect({ address: engine.address });
    try {
      await direct.operatorService.removeSearchAttributes({ namespace: 'default', searchAttributes: ['ApprovalDue', 'ApprovalLane'] });
    } finally {
      await direct.close();
    }
    const how =
      'add them with "temporal operator search-attribute create --namespace default --name ApprovalLane --type KeywordList --name ApprovalDue --type Datetime", ' +
      'or on Temporal Cloud "tcld namespace search-attributes add --namespace default --sa "ApprovalLane=KeywordList" --sa "ApprovalDue=Datetime""';
    expect(await said(env)).toBe(
      `search_attributes_missing: Namespace default at ${door.address} lacks the search attributes ApprovalLane, ApprovalDue: ${how}, then start again.`,
    );
    await expect(registerSearchAttributes(door.address, 'default', engineAccess(readReach(env)))).rejects.toThrow(
      /could not be registered .*ApprovalLane --type KeywordList/,
    );
  });
});
