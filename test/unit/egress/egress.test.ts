import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer as createHttpServer, type RequestListener, type Server as HttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createHttpsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buildConnector } from 'undici';
import { createEgress, EgressError, type Connect, type EgressOptions } from '../../../activities/egress';
import { classify } from '../../../activities/egress/address';
import { HOSTILE, NAMES } from './hostile';

const POST = { headers: {}, body: '{}', timeoutMs: 5_000 };

const lookup = async (hostname: string): Promise<readonly string[]> => {
  const addresses = NAMES[hostname];
  if (!addresses) throw new Error('ENOTFOUND');
  return addresses;
};

/** Notes each connection that is really made. */
function recorder(): { readonly connect: Connect; readonly made: string[] } {
  const made: string[] = [];
  const real = buildConnector({ timeout: 1_000 });
  return {
    made,
    connect: (options, callback) => {
      made.push(options.hostname);
      real(options, callback);
    },
  };
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof EgressError) return error.code;
    throw error;
  }
  return 'allowed';
}

describe('an address inside, however it is written', () => {
  let listeners: Server[];
  let port: number;
  let heard = 0;

  beforeAll(async () => {
    const hear = (socket: Socket): void => {
      heard += 1;
      socket.destroy();
    };
    const first = createServer(hear);
    await new Promise<void>((resolve) => first.listen(0, '127.0.0.1', resolve));
    port = (first.address() as AddressInfo).port;
    const second = createServer(hear);
    const six = await new Promise<boolean>((resolve) => second.once('error', () => resolve(false)).listen(port, '::1', () => resolve(true)));
    listeners = six ? [first, second] : [first];
  });
  afterAll(() => Promise.all(listeners.map((listener) => new Promise((resolve) => listener.close(resolve)))));

  it('is written in at least sixty ways here', () => {
    expect(new Set(HOSTILE.map(([, url]) => url)).size).toBeGreaterThanOrEqual(60);
  });

  it.each(HOSTILE)('is refused without a connection: %s', async (_form, url) => {
    const { connect, made } = recorder();
    const egress = createEgress({ allowLoopback: false, ports: [port], lookup, connect });
    const target = url.replace('PORT', String(port));
    const code = await refusal(egress.post(target, POST));
    expect(['url_invalid', 'scheme_refused', 'host_refused', 'port_refused', 'address_refused', 'dns_failed']).toContain(code);
    expect(made).toEqual([]);
    await egress.close();
    expect(heard).toBe(0);
  });

  it.each(HOSTILE.filter(([, url]) => !/\/localhost:/i.test(url) && !/^https?:\/\/(127\.(\d+\.){2}\d+|\[[0:]*1\]):PORT\/$/i.test(url)))(
    'is refused in development too, unless it says it is loopback: %s',
    async (_form, url) => {
      const { connect, made } = recorder();
      const egress = createEgress({ allowLoopback: true, ports: [port], lookup, connect });
      expect(await refusal(egress.post(url.replace('PORT', String(port)), POST))).not.toBe('allowed');
      expect(made).toEqual([]);
      await egress.close();
      expect(heard).toBe(0);
    },
  );
});

describe('a name whose answer changes', () => {
  it('is connected to exactly at the address that was checked, under its own name', async () => {
    const made: object[] = [];
    let asked = 0;
    const egress = createEgress({
      allowLoopback: false,
      connect: ({ hostname, servername, port }, callback) => {
        made.push({ hostname, servername, port });
        callback(new Error('not reachable here'), null);
      },
      lookup: async () => {
        asked += 1;
        return asked === 1 ? ['93.184.215.14'] : ['127.0.0.1'];
      },
    });
    expect(await refusal(egress.post('https://agents.example.com/hook', POST))).toBe('connection_failed');
    expect(made).toEqual([{ hostname: '93.184.215.14', servername: 'agents.example.com', port: '' }]);
    expect(asked).toBe(1);
    await egress.close();
  });

  it('is refused at the attempt at which it leads inside, and nothing hears of it', async () => {
    let heard = 0;
    const listener = createServer(() => (heard += 1));
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const { port } = listener.address() as AddressInfo;
    const answers = [['93.184.215.14'], ['127.0.0.1'], ['93.184.215.14', '::1'], ['::ffff:127.0.0.1']];
    const made: string[] = [];
    const stopOutside: Connect = (options, callback) => {
      made.push(options.hostname);
      if (options.hostname === '93.184.215.14') callback(new Error('not reachable here'), null);
      else buildConnector()(options, callback);
    };
    const egress = createEgress({ allowLoopback: false, ports: [port], connect: stopOutside, lookup: async () => answers.shift() ?? [] });
    const url = `https://rebind.example.com:${port}/`;
    expect(await refusal(egress.post(url, POST))).toBe('connection_failed');
    expect(await refusal(egress.post(url, POST))).toBe('address_refused');
    expect(await refusal(egress.post(url, POST))).toBe('address_refused');
    expect(await refusal(egress.post(url, POST))).toBe('address_refused');
    expect(await refusal(egress.post(url, POST))).toBe('dns_failed');
    expect(made).toEqual(['93.184.215.14']);
    expect(heard).toBe(0);
    await egress.close();
    await new Promise((resolve) => listener.close(resolve));
  });

  it('is refused in development when a public name leads to loopback, or localhost leads elsewhere', async () => {
    const { connect, made } = recorder();
    const egress = createEgress({ allowLoopback: true, connect, lookup: async (name) => (name === 'localhost' ? ['93.184.215.14'] : ['127.0.0.1']) });
    expect(await refusal(egress.post('https://agents.example.com/', POST))).toBe('address_refused');
    expect(await refusal(egress.post('http://localhost:4100/', POST))).toBe('address_refused');
    expect(made).toEqual([]);
    await egress.close();
  });
});

describe('a call that is made', () => {
  let server: HttpServer;
  let origin: string;
  let answer: RequestListener;
  const open = (over: Partial<EgressOptions> = {}) => createEgress({ allowLoopback: true, ...over });

  beforeAll(async () => {
    server = createHttpServer((request, response) => answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it('reads at most the cap of a body and never shows it', async () => {
    answer = (_request, response) => {
      response.writeHead(200);
      const more = (): void => {
        while (!response.destroyed && response.write('x'.repeat(16_384)));
        if (!response.destroyed) response.once('drain', more);
      };
      more();
    };
    const egress = open({ bodyCap: 50_000 });
    expect(await egress.post(origin, POST)).toEqual({ status: 200, latencyMs: expect.any(Number) as number, bodyBytes: 50_000, text: null, retryAfter: null });
    await egress.close();
  });

  it('hands over the body to who asks for it: whole, as UTF-8 and within the cap, or not at all', async () => {
    const egress = open({ bodyCap: 100 });
    const said = async (body: string | Buffer): Promise<string | null> => {
      answer = (_request, response) => void response.writeHead(200).end(body);
      return (await egress.post(origin, { ...POST, keepBody: true })).text;
    };
    expect(await said('{"tier": "größer"}')).toBe('{"tier": "größer"}');
    expect(await said('')).toBe('');
    expect(await said('x'.repeat(100))).toBeNull();
    expect(await said(Buffer.from([0xff, 0xfe]))).toBeNull();
    answer = (_request, response) => void response.writeHead(200).write('{"tier": ');
    expect(await refusal(egress.post(origin, { ...POST, timeoutMs: 50, keepBody: true }))).toBe('timeout');
    answer = (_request, response) => {
      response.writeHead(200, { 'content-length': '50' }).write('{"tier": ');
      setImmediate(() => response.destroy());
    };
    expect((await egress.post(origin, { ...POST, keepBody: true })).text).toBeNull();
    await egress.close();
  });

  it('ends when the host says nothing in time', async () => {
    answer = () => undefined;
    const egress = open();
    expect(await refusal(egress.post(origin, { ...POST, timeoutMs: 50 }))).toBe('timeout');
  });

  it('counts an answer whose body never ends: the status has been said', async () => {
    answer = (_request, response) => void response.writeHead(204 - 4).write('…');
    expect(await open().post(origin, { ...POST, timeoutMs: 300 })).toMatchObject({ status: 200, bodyBytes: 3 });
  });

  it('does not follow a redirect', async () => {
    let calls = 0;
    answer = (_request, response) => {
      calls += 1;
      response.writeHead(302, { location: '/there' }).end();
    };
    await expect(open().post(origin, POST)).rejects.toMatchObject({ code: 'redirect_refused', status: 302 });
    expect(calls).toBe(1);
  });

  it('says which step failed', async () => {
    const raw = createServer((socket) =>
      socket
        .on('error', () => undefined)
        .resume()
        .end('SSH-2.0-OpenSSH\r\n'),
    );
    await new Promise<void>((resolve) => raw.listen(0, '127.0.0.1', resolve));
    const { port } = raw.address() as AddressInfo;
    expect(await refusal(open().post(`http://127.0.0.1:${port}/`, POST))).toBe('response_invalid');
    expect(await refusal(open().post(`https://127.0.0.1:${port}/`, POST))).toBe('tls_failed');
    await new Promise((resolve) => raw.close(resolve));
    expect(await refusal(open().post(`http://127.0.0.1:${port}/`, POST))).toBe('connection_failed');
    expect(await refusal(open({ lookup }).post('https://unknown.example.com/', POST))).toBe('dns_failed');
  });

  it('goes to localhost in development, by name and by address', async () => {
    answer = (_request, response) => void response.writeHead(200).end();
    const { port } = new URL(origin);
    const egress = open({ lookup: async () => ['127.0.0.1'] });
    expect((await egress.post(`http://localhost:${port}/`, POST)).status).toBe(200);
    expect((await egress.post(`http://127.0.0.1:${port}/`, POST)).status).toBe(200);
    await egress.close();
  });

  it('keeps to the hosts that are registered now and to those that the operator allows', async () => {
    answer = (_request, response) => void response.writeHead(200).end();
    expect(await refusal(open().post(origin, { ...POST, registeredHosts: ['agents.example.com'] }))).toBe('host_refused');
    expect(await refusal(open({ allowedHosts: ['agents.example.com'] }).post(origin, POST))).toBe('host_refused');
    expect((await open({ allowedHosts: ['127.0.0.1'] }).post(origin, { ...POST, registeredHosts: [new URL(origin).host] })).status).toBe(200);
  });
});

describe('the name on the certificate', () => {
  const dir = mkdtempSync(join(tmpdir(), 'tls-'));
  const [keyFile, certFile] = [join(dir, 'key.pem'), join(dir, 'cert.pem')];
  const made = spawnSync('openssl', [
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-keyout',
    keyFile,
    '-out',
    certFile,
    '-days',
    '2',
    '-subj',
    '/CN=agents.example.com',
    '-addext',
    'subjectAltName=DNS:agents.example.com',
  ]);
  afterAll(() => rmSync(dir, { recursive: true }));

  (made.status === 0 ? it : it.skip)('is the name that was asked for, though an address is connected to (skipped without openssl)', async () => {
    const cert = readFileSync(certFile);
    const names: unknown[] = [];
    const server = createHttpsServer({ cert, key: readFileSync(keyFile) }, (request, response) => {
      names.push(request.headers.host, 'servername' in request.socket && request.socket.servername);
      response.end('ok');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    // Stands for the public address, which cannot be reached here; the certificate is checked by the real connector.
    const real = buildConnector({ ca: cert });
    const egress = createEgress({
      allowLoopback: false,
      ports: [port],
      lookup: async () => ['93.184.215.14'],
      connect: (options, callback) => real({ ...options, hostname: '127.0.0.1' }, callback),
    });
    expect((await egress.post(`https://agents.example.com:${port}/`, POST)).status).toBe(200);
    expect(names).toEqual([`agents.example.com:${port}`, 'agents.example.com']);
    expect(await refusal(egress.post(`https://other.example.com:${port}/`, POST))).toBe('tls_failed');
    expect(names).toHaveLength(2);
    await egress.close();
    await new Promise((resolve) => server.close(resolve));
  });
});

describe('a callback URL at submit', () => {
  const egress = createEgress({ allowLoopback: false });
  it.each([
    ['https://agents.example.com/hook', ['agents.example.com']],
    ['https://AGENTS.example.com/hook?run=1', ['agents.Example.com']],
    ['https://agents.example.com:8443/', ['agents.example.com']],
    ['https://agents.example.com/', ['agents.example.com:443']],
    ['https://xn--bcher-kva.example/', ['xn--bcher-kva.example']],
    ['https://93.184.215.14/', ['93.184.215.14']],
    ['https://[2606:4700::1111]/', ['2606:4700::1111']],
  ])('%s is allowed for %j', (url, hosts) => {
    expect(egress.checkUrl(url, hosts)).toBeNull();
  });
  it.each([
    ['https://agents.example.com/', []],
    ['https://agents.example.com/', ['example.com']],
    ['https://evil-agents.example.com/', ['agents.example.com']],
    ['https://agents.example.com.evil.example/', ['agents.example.com']],
    ['https://agents.example.com:8443/', ['agents.example.com:443']],
    ['https://agents.example.com/', ['*']],
  ])('%s is not registered by %j', (url, hosts) => {
    expect(egress.checkUrl(url, hosts)).toMatchObject({ code: 'host_refused', message: expect.stringContaining('not registered') as string });
  });
  it('loopback is refused in production even when it was registered', () => {
    expect(egress.checkUrl('http://127.0.0.1:4100/', ['127.0.0.1'])?.code).toBe('scheme_refused');
    expect(egress.checkUrl('https://127.0.0.1/', ['127.0.0.1'])?.code).toBe('address_refused');
    expect(createEgress({ allowLoopback: true }).checkUrl('http://127.0.0.1:4100/', ['127.0.0.1'])).toBeNull();
  });
});

describe('an address', () => {
  it.each([
    ['8.8.8.8', 'public'],
    ['2606:4700::1111', 'public'],
    ['127.0.0.1', 'loopback'],
    ['::1', 'loopback'],
    ['::ffff:127.0.0.1', 'forbidden'],
    ['fe80::1%lo', 'forbidden'],
    ['localhost', 'forbidden'],
    ['', 'forbidden'],
  ])('%j is %s', (address, expected) => expect(classify(address)).toBe(expected));
});
