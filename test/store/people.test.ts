/**
 * What every source of people promises, each held to the same: who is put there is in the directory that holds, and who is taken away
 * holds nothing from then on. And what one change does while another is made.
 */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { stringify } from 'yaml';
import { createEgress } from '../../activities/egress';
import { createPeople, type PeopleError, type People } from '../../activities/people';
import { createWatch, FEED_BYTES_MAX } from '../../activities/people/watch';
import { createActive } from '../../activities/active';
import { databaseClock, type Clock } from '../../domain/clock';
import { rosterOf, type Directory } from '../../domain/directory';
import { ADMIN_APPROVAL } from '../../record/admin';
import { readTimeline } from '../../record/store/entries';
import { feedsOf, fileOf, peopleState } from '../../record/store/people';
import { activeHashes, directoryByHash } from '../../record/store/policies';
import { openApi, type ApiWorld } from '../support/api';
import { DESK_DIRECTORY, DESK_POLICY } from '../support/desk-policy';
import { publish } from '../support/desk';
import { openProvider } from '../support/scim';
import { useStore } from '../support/store';

const log = pino({ level: 'silent' });
let world: ApiWorld;
let dir = '';
afterAll(async () => {
  await world.close();
  rmSync(dir, { recursive: true, force: true });
});
const store = useStore();
beforeAll(async () => {
  world = await openApi({ store });
  dir = mkdtempSync(join(tmpdir(), 'countersign-people-'));
});

const peopleAt = (clock: Clock = databaseClock): People => createPeople({ db: store.db, keys: store.keys, log, clock });
/** A clock that stands where the test puts it. */
const standing = (at: string): Clock & { at: string } => {
  const clock = { at, scale: 1, now: () => clock.at };
  return clock;
};
async function heldBy(tenant: string): Promise<Directory> {
  const directory = await createActive().directoryOf(store.db, tenant);
  if (!directory) throw new Error(`${tenant} has no directory`);
  return directory;
}
const publications = async (tenant: string): Promise<{ readonly by: unknown; readonly hash: unknown }[]> =>
  (await readTimeline(store.db, tenant, ADMIN_APPROVAL))
    .filter(({ type }) => type === 'directory_published')
    .map(({ fields }) => ({ by: fields['by'], hash: fields['hash'] }));

interface Member {
  readonly name: string;
  readonly roles: readonly string[];
}

/** Somebody's team, kept at one kind of source. */
interface Team {
  readonly tenant: string;
  /** `who` is the id that the directory is to give. */
  add(who: string, member: Member): Promise<void>;
  rename(who: string, name: string): Promise<void>;
  setRoles(who: string, roles: readonly string[]): Promise<void>;
  leave(who: string): Promise<void>;
  comeBack(who: string): Promise<void>;
}

const addressOf = (who: string): string => `${who}@acme.example`;

function fileTeam(tenant: string): Team {
  const path = join(dir, `${tenant}.yaml`);
  const { look } = createWatch({ people: peopleAt(), db: store.db, log, egress: null, file: { path, tenant } });
  const members = new Map<string, Member>();
  const away = new Map<string, Member>();
  const write = async (): Promise<void> => {
    const people = Object.fromEntries([...members].map(([id, { name, roles }]) => [id, { name, email: addressOf(id), roles }]));
    writeFileSync(`${path}.new`, stringify({ people }));
    renameSync(`${path}.new`, path);
    await look();
    await look();
  };
  const of = (who: string): Member => members.get(who) ?? { name: '', roles: [] };
  return {
    tenant,
    async add(who, member) {
      members.set(who, member);
      await write();
    },
    async rename(who, name) {
      members.set(who, { ...of(who), name });
      await write();
    },
    async setRoles(who, roles) {
      members.set(who, { ...of(who), roles });
      await write();
    },
    async leave(who) {
      away.set(who, of(who));
      members.delete(who);
      await write();
    },
    async comeBack(who) {
      members.set(who, away.get(who) ?? of(who));
      await write();
    },
  };
}

async function providedTeam(tenant: string): Promise<Team> {
  const provider = await openProvider(world.app, store, tenant);
  const users = new Map<string, string>();
  const groups = new Map<string, string>();
  const pathOf = (who: string): string => `/Users/${users.get(who) ?? ''}`;
  const team: Team = {
    tenant,
    async add(who, { name, roles }) {
      users.set(who, await provider.addUser(addressOf(who), { displayName: name }));
      await team.setRoles(who, roles);
    },
    async rename(who, name) {
      await provider.patch(pathOf(who), { op: 'Replace', path: 'displayName', value: name });
    },
    async setRoles(who, roles) {
      const id = users.get(who) ?? '';
      for (const role of roles) if (!groups.has(role)) groups.set(role, await provider.addGroup(role));
      for (const [role, group] of groups)
        await provider.patch(
          `/Groups/${group}`,
          roles.includes(role) ? { op: 'Add', path: 'members', value: [{ value: id }] } : { op: 'Remove', path: `members[value eq "${id}"]` },
        );
    },
    async leave(who) {
      await provider.patch(pathOf(who), { op: 'replace', value: { active: false } });
    },
    async comeBack(who) {
      await provider.patch(pathOf(who), { op: 'Replace', path: 'active', value: 'True' });
    },
  };
  return team;
}

describe.each([
  ['a file', (tenant: string) => Promise.resolve(fileTeam(tenant))],
  ['an identity provider', providedTeam],
] as const)('people from %s', (source, open) => {
  let team: Team;
  const tenant = source.replaceAll(' ', '-');
  beforeAll(async () => {
    team = await open(tenant);
    await team.add('ana', { name: 'Ana Ruiz', roles: ['lead', 'clerk'] });
    await team.add('ben', { name: 'Ben Ode', roles: ['lead'] });
  });
  const shownIn = ({ people }: Directory) => Object.values(people).map(({ id, name, email, roles }) => ({ id, name, email, roles: [...roles].sort() }));

  it('are in the directory that holds, with the roles they were given', async () => {
    expect(shownIn(await heldBy(tenant))).toEqual([
      { id: 'ana', name: 'Ana Ruiz', email: 'ana@acme.example', roles: ['clerk', 'lead'] },
      { id: 'ben', name: 'Ben Ode', email: 'ben@acme.example', roles: ['lead'] },
    ]);
  });

  it('stay the same people under another name', async () => {
    await team.rename('ana', 'Ana Ruiz-Ode');
    expect((await heldBy(tenant)).people['ana']).toMatchObject({
      id: 'ana',
      name: 'Ana Ruiz-Ode',
      roles: expect.arrayContaining(['clerk', 'lead']) as unknown,
    });
  });

  it('hold what they are given, and no more what is taken', async () => {
    await team.setRoles('ben', ['clerk', 'head']);
    const held = await heldBy(tenant);
    expect([...(held.people['ben']?.roles ?? [])].sort()).toEqual(['clerk', 'head']);
    expect(rosterOf(held, 'lead', new Date().toISOString(), []).map(({ person }) => person)).toEqual(['ana']);
  });

  it('who leave hold nothing from that moment on, and may not even sign in', async () => {
    const session = await world.signIn('ana', tenant);
    const me = async () => (await world.app.inject({ url: '/v1/me', headers: { authorization: `Bearer ${session}` } })).statusCode;
    expect(await me()).toBe(200);
    await team.leave('ana');
    expect(await me()).toBe(401);
    const held = await heldBy(tenant);
    expect(Object.keys(held.people)).toEqual(['ben']);
    expect(rosterOf(held, 'lead', new Date().toISOString(), [])).toEqual([]);
    await team.comeBack('ana');
    expect([...((await heldBy(tenant)).people['ana']?.roles ?? [])].sort()).toEqual(['clerk', 'lead']);
  });

  it('are on the record with each change, and each version can still be read', async () => {
    const told = await publications(tenant);
    expect(told.length).toBeGreaterThanOrEqual(6);
    for (const { hash } of told) expect((await directoryByHash(store.db, tenant, String(hash)))?.text).toContain('people');
    expect(told.at(-1)?.hash).toBe((await activeHashes(store.db, tenant)).directory);
  });
});

describe('a watched file', () => {
  const PEOPLE = (...ids: string[]) => stringify({ people: Object.fromEntries(ids.map((id) => [id, { name: id, email: addressOf(id), roles: ['lead'] }])) });

  it('never takes effect when it is broken: the one before holds, and the sentence is kept', async () => {
    const [tenant, path] = ['watched', join(dir, 'watched.yaml')];
    const said: string[] = [];
    const { look } = createWatch({
      people: peopleAt(),
      db: store.db,
      log: pino({ level: 'error' }, { write: (line: string) => void said.push((JSON.parse(line) as { msg: string }).msg) }),
      egress: null,
      file: { path, tenant },
    });
    const put = async (text: string) => {
      writeFileSync(path, text);
      await look();
      await look();
    };
    await put(PEOPLE('ana', 'ben'));
    const before = await activeHashes(store.db, tenant);
    await put('people:\n  ana: { name: Ana, email: none }\n');
    expect(await activeHashes(store.db, tenant)).toEqual(before);
    expect(said).toEqual([
      expect.stringMatching(/^The directory is not taken: line 2, column \d+: people\.ana\.email cannot be read: .*; the directory before holds on$/),
    ]);
    expect(await fileOf(store.db, tenant)).toMatchObject({ text: PEOPLE('ana', 'ben'), why: expect.stringContaining('people.ana.email') as unknown });
    rmSync(path);
    await look();
    await look();
    expect(said).toHaveLength(2);
    expect(await activeHashes(store.db, tenant)).toEqual(before);
    await put(PEOPLE('ana'));
    expect(Object.keys((await heldBy(tenant)).people)).toEqual(['ana']);
    expect(await fileOf(store.db, tenant)).toMatchObject({ why: '', failedAt: null });
  });

  it('is not taken while it is being written', async () => {
    const [tenant, path] = ['half', join(dir, 'half.yaml')];
    const { look } = createWatch({ people: peopleAt(), db: store.db, log, egress: null, file: { path, tenant } });
    writeFileSync(path, PEOPLE('ana'));
    await look();
    expect((await activeHashes(store.db, tenant)).directory).toBeNull();
    writeFileSync(path, PEOPLE('ana', 'ben'));
    await look();
    expect((await activeHashes(store.db, tenant)).directory).toBeNull();
    await look();
    expect(Object.keys((await heldBy(tenant)).people)).toEqual(['ana', 'ben']);
  });

  it('is refused where the policy could not be answered any more', async () => {
    await publish(store, DESK_POLICY, DESK_DIRECTORY, 'unfit');
    const before = await heldBy('unfit');
    const nobody = stringify({ people: { ana: { name: 'Ana', email: addressOf('ana') } } });
    await expect(peopleAt().takeFile('unfit', 'omar', nobody, { mustFit: true })).rejects.toMatchObject({ code: 'directory_unfit' });
    expect((await heldBy('unfit')).hash).toBe(before.hash);
  });
});

describe('a directory that was published otherwise', () => {
  it('is the file that the others add to, and stays as it is while nobody adds', async () => {
    const tenant = 'adopted';
    const people = peopleAt();
    await publish(store, DESK_POLICY, DESK_DIRECTORY, tenant);
    const before = await heldBy(tenant);
    expect(await people.refresh()).not.toContain(tenant);
    expect((await heldBy(tenant)).hash).toBe(before.hash);
    await people.setAbsence(tenant, 'fay', { person: 'fay', from: '2026-01-01T00:00:00.000Z', to: '2199-01-01T00:00:00.000Z', deputy: 'omar' });
    const away = await heldBy(tenant);
    expect(away.people['fay']?.absences).toEqual([{ from: '2026-01-01T00:00:00.000Z', to: '2199-01-01T00:00:00.000Z', deputy: 'omar' }]);
    // Published by hand, the absence is not in it; the next look adds it again.
    await publish(store, DESK_POLICY, `${DESK_DIRECTORY}# anew\n`, tenant);
    expect(await people.refresh()).toContain(tenant);
    expect((await heldBy(tenant)).people['fay']?.absences).toHaveLength(1);
    expect(await people.clearAbsence(tenant, 'fay', 'fay')).toBe(true);
    expect(await people.clearAbsence(tenant, 'fay', 'fay')).toBe(false);
    expect((await heldBy(tenant)).people['fay']?.absences).toEqual([]);
  });
});

describe('an absence', () => {
  const FROM = '2199-01-01T00:00:00.000Z';
  const TO = '2199-01-08T00:00:00.000Z';
  beforeAll(async () => {
    await publish(store, DESK_POLICY, DESK_DIRECTORY, 'away');
  });
  const set = (person: string, deputy: string | null, from = FROM, to = TO) => peopleAt().setAbsence('away', person, { person, from, to, deputy });

  it.each<[string, () => Promise<unknown>, PeopleError['code']]>([
    ['of nobody', () => set('zoe', null), 'unknown_person'],
    ['that ends before it begins', () => set('fay', null, TO, FROM), 'absence_invalid'],
    ['that is over', () => set('fay', null, '2020-01-01T00:00:00.000Z', '2020-01-02T00:00:00.000Z'), 'absence_invalid'],
    ['with oneself as deputy', () => set('fay', 'fay'), 'deputy_invalid'],
    [
      'with a deputy whom somebody else names',
      () => peopleAt().setAbsence('away', 'omar', { person: 'fay', from: FROM, to: TO, deputy: 'omar' }),
      'deputy_invalid',
    ],
    ['with nobody as deputy', () => set('fay', 'zoe'), 'deputy_invalid'],
  ])('%s is refused', async (_, attempt, code) => {
    await expect(attempt()).rejects.toMatchObject({ code });
    expect(await peopleAt().absenceOf('away', 'fay')).toBeNull();
  });

  it('that closes a circle of deputies is refused, and the others stand', async () => {
    await set('fay', 'omar');
    await set('omar', 'sam');
    await expect(set('sam', 'fay')).rejects.toMatchObject({ code: 'deputy_invalid', message: expect.stringContaining('→') as unknown });
    expect((await heldBy('away')).people['sam']?.absences).toEqual([]);
    expect((await heldBy('away')).people['omar']?.absences[0]?.deputy).toBe('sam');
  });
});

describe('changes at once', () => {
  it('are all in the directory that holds, and each is on the record', async () => {
    const tenant = 'busy';
    const ids = Array.from({ length: 8 }, (_, i) => `p${String(i)}`);
    await publish(store, DESK_POLICY, DESK_DIRECTORY, tenant);
    const provider = await openProvider(world.app, store, tenant);
    const known = Object.keys((await heldBy(tenant)).people);
    const before = (await publications(tenant)).length;
    await Promise.all([
      ...ids.map((id) => provider.addUser(`${id}@acme.example`)),
      ...known
        .slice(0, 4)
        .map((person) => peopleAt().setAbsence(tenant, person, { person, from: '2199-01-01T00:00:00.000Z', to: '2199-01-02T00:00:00.000Z', deputy: null })),
    ]);
    const { people } = await heldBy(tenant);
    expect(Object.keys(people).sort()).toEqual([...known, ...ids].sort());
    for (const id of known.slice(0, 4)) expect(people[id]?.absences.length).toBeGreaterThanOrEqual(1);
    expect((await publications(tenant)).length - before).toBe(ids.length + 4);
  });

  it('beside a publication by hand lose neither', async () => {
    const tenant = 'beside';
    await publish(store, DESK_POLICY, DESK_DIRECTORY, tenant);
    const people = peopleAt();
    await Promise.all([
      people.setAbsence(tenant, 'fay', { person: 'fay', from: '2199-01-01T00:00:00.000Z', to: '2199-01-02T00:00:00.000Z', deputy: null }),
      publish(store, DESK_POLICY, DESK_DIRECTORY.replace('duty:\n', '  zoe: { name: Zoe, email: zoe@example.com, roles: [] }\nduty:\n'), tenant),
    ]);
    await people.refresh();
    const held = await heldBy(tenant);
    expect(held.people['zoe']?.name).toBe('Zoe');
    expect(held.people['fay']?.absences).toHaveLength(1);
  });
});

describe('duty that changes with time', () => {
  const TEAM = {
    ana: { name: 'Ana', email: addressOf('ana'), roles: ['lead'] },
    ben: { name: 'Ben', email: addressOf('ben'), roles: ['lead'] },
    cem: { name: 'Cem', email: addressOf('cem'), roles: ['lead'] },
  };

  it('is published at the change, and not before', async () => {
    const tenant = 'turns';
    const clock = standing('2026-03-10T12:00:00.000Z');
    const people = peopleAt(clock);
    const text = stringify({ people: TEAM, rotations: { lead: { people: ['ana', 'ben'], shift: '1w', start: '2026-03-02T09:00', zone: 'Europe/Madrid' } } });
    await people.takeFile(tenant, 'omar', text);
    expect((await heldBy(tenant)).duty['lead']).toEqual(['ben', 'ana']);
    const { nextAt } = await peopleState(store.db, tenant);
    expect(nextAt).toBe('2026-03-16T08:00:00.000Z');
    clock.at = '2026-03-16T07:59:59.999Z';
    expect(await people.refresh()).not.toContain(tenant);
    clock.at = '2026-03-16T08:00:00.000Z';
    expect(await people.refresh()).toContain(tenant);
    expect((await heldBy(tenant)).duty['lead']).toEqual(['ana', 'ben']);
    expect((await people.preview(tenant, '2026-03-25T00:00:00.000Z'))?.directory.duty['lead']).toEqual(['ben', 'ana']);
  });

  it('follows a calendar, keeps the last good one while that cannot be read, and says so', async () => {
    const tenant = 'fed';
    let [status, body] = [200, ''];
    const server = createServer((_request, response) => response.writeHead(status, { 'content-type': 'text/calendar' }).end(body));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/duty.ics`;
    const egress = createEgress({ allowLoopback: true, bodyCap: FEED_BYTES_MAX });
    try {
      const clock = standing('2026-03-10T12:00:00.000Z');
      const people = peopleAt(clock);
      const { look } = createWatch({ people, db: store.db, log, egress });
      const event = (who: string) =>
        `BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTART:20260301T000000Z\r\nDTEND:20260401T000000Z\r\nSUMMARY:${who}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n`;
      body = event(addressOf('cem'));
      await people.takeFile(tenant, 'omar', stringify({ people: TEAM, duty: { lead: ['ana'] }, feeds: { lead: { url } } }));
      expect((await heldBy(tenant)).duty['lead']).toEqual(['ana']);
      await look();
      expect((await heldBy(tenant)).duty['lead']).toEqual(['cem', 'ana']);

      [status, body] = [500, 'down'];
      clock.at = '2026-03-10T12:06:00.000Z';
      await look();
      expect((await heldBy(tenant)).duty['lead']).toEqual(['cem', 'ana']);
      const why = (await feedsOf(store.db, tenant)).get('lead')?.why ?? '';
      expect(why).toContain('answered 500: what was read at 2026-03-10T12:00:00.000Z holds on');
      expect(why).not.toContain('duty.ics');
      expect((await peopleState(store.db, tenant)).notes).toContain(why);

      [status, body] = [200, event('ben')];
      clock.at = '2026-03-10T12:12:00.000Z';
      await look();
      expect((await heldBy(tenant)).duty['lead']).toEqual(['ben', 'ana']);
      expect((await peopleState(store.db, tenant)).notes).toEqual([]);
    } finally {
      await egress.close();
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it('reads no calendar inside the network', async () => {
    const tenant = 'inside';
    const egress = createEgress({ allowLoopback: false, bodyCap: FEED_BYTES_MAX });
    const people = peopleAt(standing('2026-03-10T12:00:00.000Z'));
    await people.takeFile(tenant, 'omar', stringify({ people: TEAM, feeds: { lead: { url: 'https://169.254.169.254/duty.ics' } } }));
    await createWatch({ people, db: store.db, log, egress }).look();
    expect((await feedsOf(store.db, tenant)).get('lead')?.why).toContain('(address_refused): nobody has duty by it');
    await egress.close();
  });
});
