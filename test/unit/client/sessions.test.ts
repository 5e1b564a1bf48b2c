/** Sign-ins: what is issued is read back, and nothing else is. */
import { SignJWT, UnsecuredJWT } from 'jose';
import { createSessions, SESSION_SECONDS } from '../../../client/api/sessions';

const SEED = new Uint8Array(32).fill(7);
const NOW = new Date('2026-11-21T09:00:00.000Z');
const who = { tenant: 'acme', person: 'fay', signedInAt: '2026-11-21T09:00:00.000Z' };
const sessions = createSessions(SEED, () => NOW);

it('says who signed in, where and when, in every process that has the seed', async () => {
  const token = await sessions.issue(who);
  expect(await createSessions(SEED, () => NOW).read(token)).toMatchObject(who);
});

it('gives each sign-in a name of its own, to which forms are bound', async () => {
  const [a, b] = [await sessions.read(await sessions.issue(who)), await sessions.read(await sessions.issue(who))];
  expect(a?.session).not.toBe(b?.session);
  expect(sessions.isFormToken(a?.session ?? '', sessions.formToken(a?.session ?? ''))).toBe(true);
  expect(sessions.isFormToken(b?.session ?? '', sessions.formToken(a?.session ?? ''))).toBe(false);
  expect(sessions.isFormToken(a?.session ?? '', '')).toBe(false);
});

it('ends after a working day', async () => {
  const token = await sessions.issue(who);
  const at = (seconds: number) => createSessions(SEED, () => new Date(NOW.getTime() + seconds * 1000)).read(token);
  expect(await at(SESSION_SECONDS - 1)).not.toBeNull();
  expect(await at(SESSION_SECONDS + 1)).toBeNull();
});

it('reads nothing that is unsigned, altered, of another seed, or made for something else', async () => {
  const token = await sessions.issue(who);
  const [header = '', payload = '', signature = ''] = token.split('.');
  const altered = Buffer.from(payload, 'base64url').toString('utf8').replace('fay', 'cleo');
  const claims = { tenant: 'acme', signed_in_at: NOW.toISOString() };
  const unsigned = new UnsecuredJWT(claims)
    .setSubject('fay')
    .setIssuer('countersign')
    .setAudience('countersign-people')
    .setJti('x')
    .setExpirationTime('1h')
    .encode();
  const otherKey = await new SignJWT(claims)
    .setProtectedHeader({ alg: 'HS256', typ: 'countersign-session+jwt' })
    .setSubject('fay')
    .setIssuer('countersign')
    .setAudience('countersign-people')
    .setJti('x')
    .setExpirationTime('1h')
    .sign(SEED);
  const foreign = await createSessions(new Uint8Array(32).fill(8), () => NOW).issue(who);
  for (const bad of [
    unsigned,
    otherKey,
    foreign,
    `${header}.${Buffer.from(altered).toString('base64url')}.${signature}`,
    `${header}.${payload}.`,
    '',
    'a.b.c',
  ]) {
    expect(await sessions.read(bad)).toBeNull();
  }
});
