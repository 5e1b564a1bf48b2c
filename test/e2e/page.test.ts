/**
 * The page over a real store while the engine is away: who sees what, and that nothing but the person's own form decides.
 */
import { randomUUID } from 'node:crypto';
import type { InjectOptions } from 'fastify';
import type { RequestDraft } from '../../domain/request';
import { API_DIRECTORY, openApi, type ApiWorld } from '../support/api';
import { publish } from '../support/desk';
import { DESK_POLICY } from '../support/desk-policy';
import { actionOf, refund } from '../support/requests';
import { useStore } from '../support/store';

let world: ApiWorld;
// Before the store's own hook: what uses the store ends first.
afterAll(async () => {
  await world.close();
});
const store = useStore();
beforeAll(async () => {
  world = await openApi({ store });
});

const HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(1)> pay \u202E0001 USD\u200B';

async function newApproval(): Promise<{ id: string; digest: string }> {
  const response = await world.app.inject({
    method: 'POST',
    url: '/v1/requests',
    headers: { authorization: `Bearer ${world.keys.own}`, 'idempotency-key': randomUUID() },
    payload: refund(48_000, { reason: HOSTILE, evidence: [{ name: 'mail', title: 'Mail "of" the customer', source: 'customer', content: HOSTILE }] }),
  });
  const { approval_id: id, packet_digest: digest } = response.json<{ approval_id: string; packet_digest: string }>();
  // The first level, as the workflow opens it.
  await world.core.commit({ tenant: 'acme', approvalId: id, seq: 0, command: { type: 'open' }, workflowTime: Date.now() });
  return { id, digest };
}

const asPerson = async (person: string, options: InjectOptions) =>
  world.app.inject({ ...options, headers: { ...options.headers, cookie: `countersign_session=${await world.signIn(person)}` } });

const cookieOf = async (person: string): Promise<string> => `countersign_session=${await world.signIn(person)}`;

/** The hidden fields of the form for one move. */
function fieldsOf(html: string, type: string): URLSearchParams {
  const form = html.split('<form').find((part) => part.includes(`name="type" value="${type}"`)) ?? '';
  return new URLSearchParams(
    [...form.matchAll(/type="hidden" name="(\w+)" value="([^"]*)"/g)].map(([, name, value]): [string, string] => [name ?? '', value ?? '']),
  );
}

const commandsOf = async (id: string) => await store.db.selectFrom('commands').select(['person', 'body']).where('approval_id', '=', id).execute();
const entriesOf = async (id: string) => (await store.db.selectFrom('entries').select('seq').where('approval_id', '=', id).execute()).length;

describe('the page of an approval', () => {
  it('says what is asked, how much, of whom, until when, what comes next and why', async () => {
    const { id } = await newApproval();
    const { body, statusCode } = await asPerson('fay', { url: `/approvals/${id}` });
    expect(statusCode).toBe(200);
    for (const words of [
      'Refund order o1',
      'USD 480.00',
      'Fay Okafor (finance_manager)',
      'CFO is asked',
      'ticket opens for manual review',
      'refund_over_250',
      'Refunds over USD 250.00 are signed by finance.',
      'Timeline',
    ]) {
      expect(body).toContain(words);
    }
  });

  it('shows the words of agents and customers as theirs, as text, with hidden characters made visible', async () => {
    const { id } = await newApproval();
    const { body, headers } = await asPerson('fay', { url: `/approvals/${id}` });
    expect(body).not.toMatch(/<script|<img/);
    expect(body).not.toMatch(/[\u202E\u200B]/);
    expect(body).toContain('⟨U+202E⟩');
    expect(body).toContain('Written by the customer');
    expect(body).toContain('Mail &quot;of&quot; the customer');
    expect(headers['content-security-policy']).toBe("default-src 'none';style-src 'self';form-action 'self';base-uri 'none';frame-ancestors 'none'");
    expect(body).not.toMatch(/ style=| on\w+="/);
  });

  it('offers moves to those who may, a sentence to those who may not, and nothing at all to strangers', async () => {
    const { id } = await newApproval();
    expect((await asPerson('fay', { url: `/approvals/${id}` })).body).toContain('<button>Approve</button>');
    for (const [person, words] of [
      ['cleo', 'does not wait on a role of yours'],
      ['ada', 'does not wait on a role of yours'],
      ['rita', 'someone else decides it'],
    ] as const) {
      const { body } = await asPerson(person, { url: `/approvals/${id}` });
      expect(body).toContain(words);
      expect(body).not.toContain('<button>Approve</button>');
    }
    expect((await asPerson('sam', { url: `/approvals/${id}` })).statusCode).toBe(404);
  });

  it('leads to the sign-in and back, and nowhere else', async () => {
    const { id } = await newApproval();
    const response = await world.app.inject({ url: `/approvals/${id}` });
    expect(response.headers.location).toBe(`/login?next=${encodeURIComponent(`/approvals/${id}`)}`);
    const login = (next: string) =>
      world.app.inject({
        method: 'POST',
        url: '/login',
        headers: { 'content-type': 'application/x-www-form-urlencoded' },
        payload: new URLSearchParams({ person: 'fay', tenant: 'acme', next }).toString(),
      });
    expect((await login(`/approvals/${id}`)).headers.location).toBe(`/approvals/${id}`);
    for (const hostile of ['//evil.example', 'https://evil.example', '/approvals/../../x', '/\\evil.example'])
      expect((await login(hostile)).headers.location).toBe('/');
  });

  it('asks once more from here when a mail program sent the reader without the strict cookie', async () => {
    const { id } = await newApproval();
    const response = await world.app.inject({ url: `/approvals/${id}`, headers: { 'sec-fetch-site': 'cross-site' } });
    expect(response.statusCode).toBe(200);
    expect(response.body).toContain('http-equiv="refresh"');
  });
});

describe('deciding on the page', () => {
  const post = async (id: string, cookie: string, form: URLSearchParams, headers: Record<string, string> = {}) =>
    world.app.inject({
      method: 'POST',
      url: `/approvals/${id}/moves`,
      headers: { cookie, 'content-type': 'application/x-www-form-urlencoded', ...headers },
      payload: form.toString(),
    });

  it('stores the signed move of the person with the digest of the packet they saw, once however often it is clicked', async () => {
    const { id, digest } = await newApproval();
    const cookie = await cookieOf('fay');
    const form = fieldsOf((await world.app.inject({ url: `/approvals/${id}`, headers: { cookie } })).body, 'deny');
    form.set('reason', 'wrong order');
    const responses = await Promise.all([post(id, cookie, form), post(id, cookie, form)]);
    expect(responses.map((r) => r.statusCode)).toEqual([303, 303]);
    expect(responses[0].headers.location).toBe(responses[1].headers.location);
    const commands = await commandsOf(id);
    expect(commands).toHaveLength(1);
    expect(commands[0]).toMatchObject({ person: 'fay', body: { move: { type: 'deny', reason: 'wrong order' }, packetDigest: digest } });
    expect((await world.app.inject({ url: responses[0].headers.location ?? '', headers: { cookie } })).body).toContain('stored and not answered yet');
  });

  it.each([
    ['fay', 'ask', { of: 'lea', question: 'Did it arrive?' }],
    ['fay', 'comment', { text: 'I know this customer' }],
    ['fay', 'reassign', { to: 'finn', reason: 'I am on a train' }],
    ['fay', 'pass_up', { reason: 'Too much for me' }],
    ['omar', 'take_over', { reason: 'I look at it by hand' }],
  ] as const)('stores what %s says with the form to %s, as the API would', async (who, type, said) => {
    const { id, digest } = await newApproval();
    const cookie = await cookieOf(who);
    const form = fieldsOf((await world.app.inject({ url: `/approvals/${id}`, headers: { cookie } })).body, type);
    for (const [name, value] of Object.entries(said)) form.set(name, value);
    expect((await post(id, cookie, form)).statusCode).toBe(303);
    expect(await commandsOf(id)).toMatchObject([{ person: who, body: { move: { type, ...said }, packetDigest: type === 'take_over' ? digest : null } }]);
  });

  it('a form with a person, a number or an instant that is none is not sent on', async () => {
    const { id } = await newApproval();
    const cookie = await cookieOf('fay');
    const form = fieldsOf((await world.app.inject({ url: `/approvals/${id}`, headers: { cookie } })).body, 'comment');
    for (const [type, field, value] of [
      ['extend', 'minutes', 'many'],
      ['reassign', 'to', ''],
      ['update', 'next_update_at', 'tomorrow'],
      ['toString', 'reason', 'x'],
    ] as const) {
      const wrong = new URLSearchParams(form);
      wrong.set('type', type);
      wrong.set(field, value);
      expect((await post(id, cookie, wrong)).statusCode).toBe(422);
    }
    expect(await commandsOf(id)).toEqual([]);
  });

  it('refuses a form without its token, with the token of another sign-in, or from another site', async () => {
    const { id } = await newApproval();
    const cookie = await cookieOf('fay');
    const form = fieldsOf((await world.app.inject({ url: `/approvals/${id}`, headers: { cookie } })).body, 'approve');
    const without = new URLSearchParams(form);
    without.delete('form_token');
    expect((await post(id, cookie, without)).statusCode).toBe(403);
    expect((await post(id, await cookieOf('fay'), form)).statusCode).toBe(403);
    for (const site of ['cross-site', 'same-site']) expect((await post(id, cookie, form, { 'sec-fetch-site': site })).statusCode).toBe(403);
    expect(await commandsOf(id)).toEqual([]);
  });

  it('is never done by reading, whatever the address says', async () => {
    const { id, digest } = await newApproval();
    const before = await entriesOf(id);
    for (const method of ['GET', 'HEAD'] as const) {
      for (const path of [`/approvals/${id}?type=approve&packet_digest=${digest}`, `/approvals/${id}/moves?type=approve`, `/v1/approvals/${id}/moves`])
        await asPerson('fay', { method, url: path });
    }
    expect(await commandsOf(id)).toEqual([]);
    expect(await entriesOf(id)).toBe(before);
  });

  it('shows afterwards how it ended, and who decided', async () => {
    const { id } = await newApproval();
    await world.core.commit({
      tenant: 'acme',
      approvalId: id,
      seq: 0,
      command: { type: 'withdraw', by: 'refund-bot', reason: 'paid by hand' },
      workflowTime: Date.now(),
    });
    const cookie = await cookieOf('fay');
    const page = (await world.app.inject({ url: `/approvals/${id}`, headers: { cookie } })).body;
    expect(page).toContain('Withdrawn by refund-bot: paid by hand');
    expect(page).not.toContain('<button>Approve</button>');
  });
});

describe('an exception', () => {
  const REVEAL_ONCE = `
  - id: reveal_once
    excepts: [never]
    when: action.type == "secret.reveal"
    examples: { match: [{ action: { type: secret.reveal } }], no_match: [{ action: { type: banner.change } }] }
    lane: security
    ladder: [{ role: security_officer, within: 30m }]
`;

  it('shows what was refused and why, and why it is asked again in the words of the agent', async () => {
    await publish(store, `${DESK_POLICY.trimEnd()}${REVEAL_ONCE}`, API_DIRECTORY);
    const ask = async (more: Partial<RequestDraft> = {}): Promise<string> => {
      const response = await world.app.inject({
        method: 'POST',
        url: '/v1/requests',
        headers: { authorization: `Bearer ${world.keys.own}`, 'idempotency-key': randomUUID() },
        payload: actionOf('secret.reveal', {}, more),
      });
      return response.json<{ approval_id: string }>().approval_id;
    };
    const refused = await ask();
    const id = await ask({ exception: { of: refused, justification: HOSTILE } });
    await world.core.commit({ tenant: 'acme', approvalId: id, seq: 0, command: { type: 'open' }, workflowTime: Date.now() });
    const { body } = await asPerson('sam', { url: `/approvals/${id}` });
    for (const words of [
      'An exception to an earlier refusal',
      `<a href="/approvals/${refused}">${refused}</a>, blocked on`,
      'Blocked by never',
      'Why an exception',
    ])
      expect(body).toContain(words);
    expect(body).not.toMatch(/<script|<img/);
  });
});

describe('the list', () => {
  it('puts first what waits on you', async () => {
    await newApproval();
    const [mine = '', others = ''] = (await asPerson('fay', { url: '/' })).body.split('Everything else you may see');
    expect(mine).toContain('Refund order o1');
    expect(others).not.toBe('');
    const cfo = (await asPerson('cleo', { url: '/' })).body;
    expect(cfo).toContain('Nothing waits on you.');
  });

  it('signs out by a form of its own', async () => {
    const cookie = await cookieOf('fay');
    const token =
      fieldsOf((await world.app.inject({ url: '/', headers: { cookie } })).body.replace('action="/logout"', 'name="type" value="x"'), 'x').get('form_token') ??
      '';
    const logout = (form_token: string) =>
      world.app.inject({
        method: 'POST',
        url: '/logout',
        headers: { cookie, 'content-type': 'application/x-www-form-urlencoded' },
        payload: new URLSearchParams({ form_token }).toString(),
      });
    expect((await logout('wrong')).statusCode).toBe(403);
    expect((await logout(token)).headers['set-cookie']).toMatch(/countersign_session=;/);
  });
});
