/**
 * Every move as a verb of the command, against the real API, engine and worker: what it does, what it says, and what it exits with.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PATIENCE } from '../../client/api/deps';
import { run } from '../../client/cli/program';
import type { RequestDraft } from '../../domain/request';
import { openApi, type ApiWorld } from '../support/api';
import { publish } from '../support/desk';
import { engineAddress, workflowBundle } from '../support/engine';
import { MOVES_DIRECTORY, MOVES_POLICY } from '../support/moves-policy';
import { actionOf, refund } from '../support/requests';
import { useStore } from '../support/store';
import { openWorld, type World } from '../support/world';

let world: World;
let api: ApiWorld;
let url: string;
let dir: string;
// Before the store's own hook: what uses the store ends first.
afterAll(async () => {
  await api.close();
  await world.close();
  rmSync(dir, { recursive: true, force: true });
});
const store = useStore();
beforeAll(async () => {
  world = await openWorld({ store, address: engineAddress(), bundle: workflowBundle() });
  api = await openApi({ store, client: world.client, taskQueue: world.taskQueue, patience: PATIENCE });
  await publish(store, MOVES_POLICY, MOVES_DIRECTORY);
  url = await api.app.listen({ host: '127.0.0.1', port: 0 });
  dir = mkdtempSync(join(tmpdir(), 'countersign-moves-'));
});

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** As a person who signed in, each with a place of their own for the session; or as the agent. */
async function countersign(who: string, ...argv: string[]): Promise<Ran> {
  const isAgent = who === 'the agent';
  const go = async (args: readonly string[]): Promise<Ran> => {
    let [out, err] = ['', ''];
    const code = await run(args, {
      env: { COUNTERSIGN_URL: url, ...(isAgent ? { COUNTERSIGN_KEY: api.keys.own } : {}) },
      configDir: join(dir, who),
      fetch: globalThis.fetch,
      now: () => new Date().toISOString(),
      out: (text) => (out += text),
      err: (text) => (err += text),
    });
    return { code, out, err };
  };
  if (!isAgent) await go(['login', who, '--tenant', 'acme']);
  return await go(argv);
}

const done = async (who: string, ...argv: string[]): Promise<string> => {
  const ran = await countersign(who, ...argv);
  expect({ argv, code: ran.code, err: ran.err }).toEqual({ argv, code: 0, err: '' });
  return ran.out;
};

const refused = async (who: string, ...argv: string[]): Promise<{ exit: number; code: string }> => {
  const { code, err } = await countersign(who, ...argv);
  return { exit: code, code: err.split(':')[0] ?? '' };
};

async function ask(request: RequestDraft): Promise<string> {
  const path = join(dir, 'request.json');
  writeFileSync(path, JSON.stringify(request));
  return (JSON.parse(await done('the agent', 'request', path, '--json')) as { approval_id: string }).approval_id;
}

it('a request is talked about, asked about, handed on and passed up', async () => {
  const id = await ask(refund(48_000));
  expect(await done('fay', 'comment', id, 'Seen this shop before')).toBe('comment: on the record; it is now waiting\n');
  expect(await done('fay', 'ask', id, 'agent', 'Was it tracked?')).toBe('ask: on the record; it is now asked\n');
  expect(await done('the agent', 'show', id)).toMatch(/^question q1 of fay to agent, until \S+: Was it tracked\?$/m);
  expect(await done('the agent', 'reply', id, 'q1', 'Yes')).toBe('reply: on the record; it is now waiting\n');
  const photo = join(dir, 'photo.txt');
  writeFileSync(photo, 'A box\nof air');
  await done('the agent', 'evidence', id, 'photo', photo, '--title', 'What was in it');
  const show = await done('fay', 'show', id);
  expect(show).toMatch(/^added q1 by refund-bot at \S+: Was it tracked\?\n {2}Yes$/m);
  expect(show).toMatch(/^added photo by refund-bot at \S+: What was in it\n {2}A box\n {2}of air$/m);
  await done('fay', 'ask', id, 'mia', 'Is it there?');
  await done('mia', 'reply', id, 'q2', 'No');
  expect(await refused('fay', 'reassign', id, 'sam', '--reason', 'away')).toEqual({ exit: 1, code: 'assignee_unfit' });
  await done('fay', 'reassign', id, 'finn', '--reason', 'He knows the shop');
  await done('finn', 'pass-up', id, '--reason', 'A matter of principle');
  expect(await done('cleo', 'show', id)).toMatch(/^waiting, waits on cleo until /m);
});

it('a request is taken over, worked on and abandoned', async () => {
  const id = await ask(refund(48_000));
  expect(await done('fay', 'take-over', id, '--reason', 'I call them')).toContain('it is now taken_over');
  expect(await done('fay', 'update', id, 'waiting_for_others', '--note', 'They look for it', '--next', '2h')).toContain('it is now taken_over');
  expect(await refused('fay', 'update', id, 'blocked', '--note', 'No word', '--next', '1000h')).toEqual({ exit: 1, code: 'update_too_late' });
  expect(await refused('fay', 'update', id, 'blocked', '--next', 'soon')).toEqual({ exit: 2, code: 'invalid_move' });
  expect((await countersign('fay', 'update', id, 'asleep')).code).toBe(2);
  expect(await done('fay', 'abandon', id, '--reason', 'The shop is gone')).toContain('it is now resolved_by_person');
});

it('operators extend, override by two and break the glass', async () => {
  const id = await ask(refund(48_000));
  expect(await refused('fay', 'extend', id, '30', '--reason', 'Lunch')).toEqual({ exit: 1, code: 'not_an_operator' });
  await done('omar', 'extend', id, '1h', '--reason', 'The shop is asked');
  expect(await refused('omar', 'extend', id, 'much', '--reason', 'x')).toEqual({ exit: 2, code: 'invalid_move' });
  expect((await countersign('rob', 'override', id, 'approve', '--reason', 'x')).code).toBe(2);
  expect(await done('rob', 'override', id, 'approve', '--because', 'outage', '--reason', 'Nobody is there')).toContain('it is now waiting');
  expect(await done('rae', 'override', id, 'approve', '--because', 'outage', '--reason', 'I see it too')).toContain('it is now approved');
  const other = await ask(refund(48_000));
  expect(await refused('omar', 'break-glass', other, '--reason', 'Now')).toEqual({ exit: 1, code: 'break_glass_not_allowed' });
  expect(await done('ida', 'break-glass', other, '--reason', 'The site is down')).toContain('it is now approved');
  expect(await refused('omar', 'reopen', other, '99-9', '--reason', 'Again')).toEqual({ exit: 1, code: 'unknown_delivery' });
});

it('one act moves several, and says of each what became of it', async () => {
  const ids = [await ask(refund(48_000)), await ask(refund(48_100))];
  const stale = `${await ask(refund(48_200))}=${'0'.repeat(64)}`;
  const { code, out } = await countersign('fay', 'bulk', 'approve', ...ids, stale, '--reason', 'All from the lost van', '--json');
  expect(code).toBe(1);
  expect((JSON.parse(out) as { items: { status: string }[] }).items.map((i) => i.status)).toEqual(['accepted', 'accepted', 'refused']);
  const mixed = [await ask(refund(48_000)), await ask(actionOf('talk.transfer'))];
  expect(await refused('omar', 'bulk', 'comment', ...mixed, '--text', 'x')).toEqual({ exit: 1, code: 'mixed_batch' });
});

it('the kill switch is thrown, listed and reset', async () => {
  expect(await done('omar', 'intake', 'list')).toBe('Nothing is paused.\n');
  expect(await refused('fay', 'intake', 'pause', 'tenant', '--reason', 'x')).toEqual({ exit: 1, code: 'forbidden' });
  expect(await refused('omar', 'intake', 'pause', 'lane', '--reason', 'x')).toEqual({ exit: 2, code: 'invalid_move' });
  expect(await done('omar', 'intake', 'pause', 'agent', 'refund-bot', '--reason', 'It repeats itself')).toBe(
    'Requests of the agent refund-bot are not taken from now on; what is open runs on\n',
  );
  expect(await done('omar', 'intake', 'list')).toMatch(/the agent refund-bot .* omar .* run on .* It repeats itself/);
  expect(await refused('the agent', 'request', join(dir, 'request.json'))).toEqual({ exit: 1, code: 'intake_paused' });
  expect(await done('omar', 'intake', 'resume', 'agent', 'refund-bot', '--reason', 'It was mended')).toContain('are taken again');
  expect(await done('omar', 'intake', 'resume', 'agent', 'refund-bot', '--reason', 'It was mended')).toContain('were not paused');
});

it('what does not get on by itself is listed for who operates, and exits 1', async () => {
  const id = await ask(refund(48_000));
  await done('fay', 'ask', id, 'agent', 'Where is it?');
  const { code, out } = await countersign('omar', 'stuck');
  expect([code, out]).toEqual([
    1,
    expect.stringMatching(new RegExp(`${id} {2}question: Fay Okafor asked the agent for information and waits for it until`)) as string,
  ]);
  expect(await countersign('fay', 'stuck')).toMatchObject({ code: 0, out: 'Nothing.\n' });
});
