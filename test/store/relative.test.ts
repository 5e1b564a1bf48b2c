/**
 * Relative roles over a real store: who owns the account is asked, who owns another one neither sees nor decides it, and when the owner
 * does not answer, who stands in does. Time is the workflow's, handed in.
 */
import { randomUUID } from 'node:crypto';
import pino from 'pino';
import { issueCommand } from '../../activities/commands';
import { createCore, type Core } from '../../activities/core';
import { listApprovals } from '../../client/api/reads';
import type { SignedIn } from '../../client/api/visibility';
import { engineClock } from '../../domain/clock';
import { instant } from '../../domain/json';
import { registerAgent } from '../../record/store/agents';
import { readEvents } from '../../record/store/entries';
import type { CommandAnswer } from '../../workflows/protocol';
import { AGENT, publish, TENANT } from '../support/desk';
import { FACTS_DIRECTORY, FACTS_POLICY } from '../support/facts-policy';
import { actionOf } from '../support/requests';
import { useStore } from '../support/store';

const MINUTE = 60_000;
const START = Date.now();
const store = useStore();
let core: Core;

beforeAll(async () => {
  core = createCore(
    {
      db: store.db,
      clock: engineClock,
      keys: store.keys,
      log: pino({ level: 'silent' }),
      publicUrl: 'http://localhost:8700',
      development: true,
      allowLoopback: true,
    },
    {
      ask: ({ now: at }) =>
        Promise.resolve({
          provided: {
            'facts.customer_tier': { value: 'vip', provider: 'crm', at },
            'facts.annual_spend': { value: { minor: 100, currency: 'USD' }, provider: 'crm', at },
          },
          unavailable: {},
        }),
    },
  );
  await publish(store, FACTS_POLICY, FACTS_DIRECTORY);
  await registerAgent(store.db, { ...AGENT, callbackHosts: [], callbackSecrets: [] });
});

async function ask(account: string): Promise<{ approvalId: string; packetDigest: string }> {
  const answer = await core.submit(AGENT, randomUUID(), actionOf('credit.grant', { account, amount: { minor: 5_000, currency: 'USD' } }));
  await core.commit({ tenant: TENANT, approvalId: answer.approvalId, seq: 0, command: { type: 'open' }, workflowTime: START });
  return answer;
}

async function approve({ approvalId, packetDigest }: { approvalId: string; packetDigest: string }, person: string, at: number): Promise<CommandAnswer | null> {
  const commandId = randomUUID();
  const now = instant(at);
  const move = { type: 'approve', reason: 'It is theirs' } as const;
  await issueCommand(core.deps, { tenant: TENANT, approvalId, commandId, person, move, packetDigest, signedInAt: now, now });
  return (await core.commit({ tenant: TENANT, approvalId, seq: 0, command: { type: 'command', commandId }, workflowTime: at })).answer;
}

const clock = (approvalId: string, at: number) => core.commit({ tenant: TENANT, approvalId, seq: 0, command: { type: 'clock' }, workflowTime: at });
const asked = async (approvalId: string): Promise<string[]> =>
  (await readEvents(store.db, TENANT, approvalId)).flatMap(({ event }) =>
    event.type === 'level_opened' ? [event.asked.map((a) => `${a.person} as ${a.role}`).join()] : [],
  );

async function listed(id: string): Promise<string[]> {
  const directory = await core.active.directoryOf(store.db, TENANT);
  const person = directory?.people[id];
  if (!directory || !person) throw new Error(id);
  const viewer: SignedIn = { tenant: TENANT, person, directory, signedInAt: instant(START), session: 's' };
  return (await listApprovals(store.db, viewer, { mine: false, limit: 100 })).items.map(({ approvalId }) => approvalId);
}

it('the owner of the account is asked and may decide; the owner of another one may not', async () => {
  const request = await ask('acme-42');
  expect(await asked(request.approvalId)).toEqual(['tom as account_lead']);
  for (const person of ['uma', 'eve', 'omar'])
    expect(await approve(request, person, START + MINUTE)).toMatchObject({ accepted: false, refusal: { code: 'role_not_held' } });
  expect(await approve(request, 'ann', START + MINUTE)).toMatchObject({ accepted: true });
  expect((await readEvents(store.db, TENANT, request.approvalId)).map(({ event }) => event.type)).toContain('signed_off');
});

it('when the owner does not answer, the next level asks who stands in, who decides', async () => {
  const request = await ask('umbra-7');
  expect(await asked(request.approvalId)).toEqual(['uma as account_lead']);
  await clock(request.approvalId, START + 31 * MINUTE);
  const [, second] = await asked(request.approvalId);
  expect(second).toBe('lea as support_lead');
  expect(await approve(request, 'uma', START + 32 * MINUTE)).toMatchObject({ accepted: false, refusal: { code: 'role_not_held' } });
  expect(await approve(request, 'lea', START + 33 * MINUTE)).toMatchObject({ accepted: true });
});

it('about an account that nobody owns, who stands in is asked at once', async () => {
  const { approvalId } = await ask('nobody-9');
  expect(await asked(approvalId)).toEqual(['lea as account_lead']);
});

it('who left the list of owners may not decide any more, and who joined it may', async () => {
  const request = await ask('acme-42');
  await publish(store, FACTS_POLICY, FACTS_DIRECTORY.replace('acme-42: [tom, ann]', 'acme-42: [uma]'));
  expect(await approve(request, 'tom', START + MINUTE)).toMatchObject({ accepted: false, refusal: { code: 'role_not_held' } });
  expect(await approve(request, 'uma', START + MINUTE)).toMatchObject({ accepted: true });
  await publish(store, FACTS_POLICY, FACTS_DIRECTORY);
});

it('lists show a request to its owners and who stands in, and to nobody else', async () => {
  const [acme, umbra] = [await ask('acme-42'), await ask('umbra-7')];
  const both = [acme.approvalId, umbra.approvalId];
  const seen = async (id: string): Promise<boolean[]> => {
    const ids = await listed(id);
    return both.map((approvalId) => ids.includes(approvalId));
  };
  expect(await seen('tom')).toEqual([true, false]);
  expect(await seen('uma')).toEqual([false, true]);
  expect(await seen('leo')).toEqual([true, true]);
  expect(await seen('eve')).toEqual([false, false]);
  expect(await seen('omar')).toEqual([true, true]);
});
