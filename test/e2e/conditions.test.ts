/**
 * Conditions and answers over HTTP with a real engine and worker: by the API, by the command line's texts, and on the page in a browser
 * that runs no script.
 */
import { randomUUID } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import { conditionsOf, factsOf, Unreadable } from '../../client/api/typed';
import { PATIENCE } from '../../client/api/deps';
import { createCountersign, NotExecutable, requireExecutable, verifyDecisionToken } from '../../client/sdk';
import type { RequestDraft } from '../../domain/request';
import { openApi, type ApiWorld } from '../support/api';
import { engineAddress, workflowBundle } from '../support/engine';
import { actionOf } from '../support/requests';
import { useStore } from '../support/store';
import { TENANT, openWorld, type World } from '../support/world';

const CHROMIUM = '/usr/bin/chromium';

let world: World;
let api: ApiWorld;
let url: string;
// Before the store's own hook: what uses the store ends first.
afterAll(async () => {
  await api.close();
  await world.close();
});
const store = useStore();
beforeAll(async () => {
  world = await openWorld({ store, address: engineAddress(), bundle: workflowBundle() });
  api = await openApi({ store, client: world.client, taskQueue: world.taskQueue, patience: PATIENCE });
  url = await api.app.listen({ host: '127.0.0.1', port: 0 });
});

const usd = (minor: number) => ({ minor, currency: 'USD' });
const GIFT = { type: 'gift.send', params: { amount: usd(48_000), recipients: ['kim@example.com', 'lee@example.com'] } };
const gift = (): RequestDraft => actionOf(GIFT.type, GIFT.params, { reason: 'An apology' });
const countersign = () => createCountersign({ url, key: api.keys.own });
const submit = async (request: RequestDraft) => await countersign().submit(request, { idempotencyKey: randomUUID() });

async function move(id: string, person: string, body: object, key?: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const response = await fetch(`${url}/v1/approvals/${id}/moves`, {
    method: 'POST',
    body: JSON.stringify(body),
    headers: {
      authorization: `Bearer ${await api.signIn(person)}`,
      'content-type': 'application/json',
      ...(key === undefined ? {} : { 'idempotency-key': key }),
    },
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

describe('over the API', () => {
  it('a conditional yes ends as one, the mail said what may be added, and the SDK keeps the agent within it', async () => {
    const { approvalId, packetDigest } = await submit(gift());
    const yes = (conditions: object) => ({ type: 'approve', reason: 'ok', packet_digest: packetDigest, conditions });
    const first = yes({ amount_at_most: { currency: 'USD', minor: 20_000 }, option: 'voucher' });
    expect(await move(approvalId, 'fay', yes({ option: 'voucher', amount_at_most: usd(25_001) }))).toMatchObject({
      status: 422,
      body: { code: 'condition_not_offered' },
    });
    expect(await move(approvalId, 'fay', { type: 'approve', packet_digest: packetDigest })).toMatchObject({
      status: 422,
      body: { code: 'condition_required' },
    });
    expect(await move(approvalId, 'fay', yes({ copy: 'shorter' }))).toMatchObject({ status: 422, body: { code: 'invalid_request' } });
    expect(await move(approvalId, 'fay', first, 'k1')).toMatchObject({ status: 200, body: { state: 'waiting' } });
    // The same words in another order are the same move.
    expect(await move(approvalId, 'fay', yes({ option: 'voucher', amount_at_most: usd(20_000) }), 'k1')).toMatchObject({ status: 200 });
    expect(await move(approvalId, 'lea', yes({ option: 'voucher', only_recipients: ['kim@example.com'] }))).toMatchObject({
      status: 200,
      body: { state: 'approved_with_conditions' },
    });
    const result = await countersign().wait(approvalId);
    expect(result).toMatchObject({
      outcome: 'approved_with_conditions',
      conditions: { amount_at_most: usd(20_000), only_recipients: ['kim@example.com'], option: 'voucher' },
      next: { path: 'execute the action under these conditions and no others: at most USD 200.00; only to kim@example.com; voucher: As vouchers' },
    });
    const claims = await verifyDecisionToken(result.token, api.core.tokens.jwks(), { tenant: TENANT, agent: 'refund-bot', now: new Date() });
    const { body } = await store.db.selectFrom('requests').select('body').where('approval_id', '=', approvalId).executeTakeFirstOrThrow();
    const { action } = body as unknown as { action: typeof GIFT };
    const execute = (minor: number): void =>
      requireExecutable(claims, { action: { ...action, params: { amount: usd(minor), recipients: ['kim@example.com'] } }, option: 'voucher', now: new Date() });
    expect(() => execute(20_000)).not.toThrow();
    expect(() => execute(20_001)).toThrow(NotExecutable);
    const mail = await world.mail.waitFor((m) => m.to[0] === 'fay@example.com' && m.text.includes(approvalId), 30_000);
    expect(mail.text).toContain('A yes may be limited to a lower amount, up to USD 250.00');
  });

  it('an answer ends it with the facts, and the agent submits again with them', async () => {
    const { approvalId, packetDigest } = await submit(actionOf('draft.send'));
    const answer = (facts: object) => ({ type: 'answer', facts, packet_digest: packetDigest });
    expect(await move(approvalId, 'lea', answer({ order_total: 12, intent: 'refund' }))).toMatchObject({ status: 422, body: { code: 'answer_invalid' } });
    expect(await move(approvalId, 'lea', answer({ order_total: usd(12_000), intent: 'refund' }))).toMatchObject({ status: 200, body: { state: 'answered' } });
    expect(await countersign().wait(approvalId)).toMatchObject({ outcome: 'answered', next: { facts: { order_total: usd(12_000), intent: 'refund' } } });
    expect(await submit(actionOf('banner.change', {}, { follows: approvalId }))).toMatchObject({ state: 'allowed' });
    await expect(submit(actionOf('banner.change', {}, { follows: 'ap_none' }))).rejects.toMatchObject({ code: 'no_such_answer' });
  });
});

describe('what is typed', () => {
  const now = '2026-11-21T09:30:00.000Z';
  it('is read as conditions, or said to be unreadable', () => {
    expect(conditionsOf({ amount_at_most: '200.00 USD', only_recipients: 'a, b', expires_at: '2h', option: 'cash' }, now)).toEqual({
      amount_at_most: usd(20_000),
      only_recipients: ['a', 'b'],
      expires_at: '2026-11-21T11:30:00.000Z',
      option: 'cash',
    });
    expect(conditionsOf({ amount_at_most: 'USD 1,250.00', expires_at: '2026-11-21T15:30' }, now)).toEqual({
      amount_at_most: usd(125_000),
      expires_at: '2026-11-21T15:30:00.000Z',
    });
    expect(conditionsOf({ amount_at_most: '', option: ' ' }, now)).toBeUndefined();
    for (const wrong of [{ amount_at_most: '200' }, { expires_at: 'soon' }, { copy: 'x' }]) expect(() => conditionsOf(wrong, now)).toThrow(Unreadable);
  });

  it('is read as facts by the types that are asked for', () => {
    const asks = { total: 'money', n: 'int', x: 'double', sure: 'bool', kind: 'enum[a, b]', items: 'list<string>', note: 'string?' };
    expect(factsOf(asks, { total: '1.50 USD', n: '3', x: '0.5', sure: 'true', kind: 'b', items: 'p\nq', note: '' })).toEqual({
      total: usd(150),
      n: 3,
      x: 0.5,
      sure: true,
      kind: 'b',
      items: ['p', 'q'],
    });
    for (const wrong of [{ total: '1.50' }, { n: '1.5' }, { sure: 'yes' }, { kind: 'c' }, { x: '' }]) expect(() => factsOf(asks, wrong)).toThrow(Unreadable);
  });
});

(existsSync(CHROMIUM) ? describe : describe.skip)(`the page without JavaScript (needs ${CHROMIUM})`, () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'] });
  });
  afterAll(async () => browser.close());

  async function openAs(person: string, approvalId: string): Promise<Page> {
    const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 900, height: 1400 } });
    await context.addCookies([{ name: 'countersign_session', value: await api.signIn(person), url }]);
    const page = await context.newPage();
    await page.goto(`${url}/approvals/${approvalId}`);
    return page;
  }

  /** For a person to look at, when asked for. */
  const picture = async (page: Page, name: string): Promise<void> => {
    const into = process.env['COUNTERSIGN_PICTURES'];
    if (into) writeFileSync(join(into, `${name}.png`), await page.screenshot({ fullPage: true }));
  };

  it('offers what may be added to a yes as fields, and sends what was chosen', async () => {
    const { approvalId } = await submit(gift());
    await world.mail.waitFor((m) => m.text.includes(approvalId), 30_000);
    const page = await openAs('fay', approvalId);
    await picture(page, 'conditions');
    const form = page.locator('form.approve');
    await form.getByLabel('As vouchers').check();
    await form.getByLabel('amount at most').fill('200.00 USD');
    await form.getByLabel('lee@example.com').uncheck();
    await form.getByRole('button', { name: 'Approve' }).click();
    await page.getByText('Your move is on the record.').waitFor();
    await page
      .getByText('So far a yes is limited: at most USD 200.00; only to kim@example.com; voucher: As vouchers.')
      .waitFor()
      .catch(() => undefined);
    expect((await world.story(approvalId)).find((e) => e.type === 'signed_off')).toMatchObject({
      by: 'fay',
      conditions: { amount_at_most: usd(20_000), only_recipients: ['kim@example.com'], option: 'voucher' },
    });
    const second = await openAs('lea', approvalId);
    await second.getByText('So far a yes is limited: at most USD 200.00; only to kim@example.com; voucher: As vouchers.').waitFor();
    await second.locator('form.approve').getByLabel('As vouchers').check();
    await second.locator('form.approve').getByRole('button', { name: 'Approve' }).click();
    await second.getByText('Approved with conditions').waitFor();
    await picture(second, 'conditions-ended');
    expect(await countersign().wait(approvalId)).toMatchObject({ conditions: { amount_at_most: usd(20_000), only_recipients: ['kim@example.com'] } });
  });

  it('says what cannot be read, and sends nothing', async () => {
    const { approvalId } = await submit(gift());
    await world.mail.waitFor((m) => m.text.includes(approvalId), 30_000);
    const page = await openAs('fay', approvalId);
    await page.locator('form.approve').getByLabel('As money').check();
    await page.locator('form.approve').getByLabel('amount at most').fill('two hundred');
    await page.locator('form.approve').getByRole('button', { name: 'Approve' }).click();
    await page.getByText('amount_at_most is not readable; write an amount such as 120.00 USD').waitFor();
    expect(await store.db.selectFrom('commands').select('person').where('approval_id', '=', approvalId).execute()).toEqual([]);
  });

  it('asks for facts by their types, and shows the answer', async () => {
    const { approvalId } = await submit(actionOf('draft.send'));
    await world.mail.waitFor((m) => m.text.includes(approvalId), 30_000);
    const page = await openAs('lea', approvalId);
    await picture(page, 'answer');
    const form = page.locator('form.answer');
    await form.getByLabel('order_total').fill('120.00 USD');
    await form.getByLabel('intent').selectOption('refund');
    await form.getByRole('button', { name: 'Answer' }).click();
    await page.getByText('order_total: USD 120.00').first().waitFor();
    await picture(page, 'answered');
    expect(await countersign().wait(approvalId)).toMatchObject({ outcome: 'answered', next: { facts: { order_total: usd(12_000), intent: 'refund' } } });
  });
});
