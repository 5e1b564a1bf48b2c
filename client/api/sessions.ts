/**
 * Sign-ins of people: a signed token that says who, in which tenant, and when. In development anyone may ask for one
 * (the login says so); with an identity provider the same token follows its callback.
 * The token is a bearer for `/v1` and an HttpOnly cookie for the page. It carries no roles: those are looked up each time.
 */
import { createHmac, hkdfSync, randomUUID, timingSafeEqual } from 'node:crypto';
import { jwtVerify, SignJWT } from 'jose';
import type { Instant } from '../../domain/json';

export const SESSION_COOKIE = 'countersign_session';
/** A working day. Strong tiers ask for a fresh sign-in by themselves. */
export const SESSION_SECONDS = 12 * 60 * 60;
const ISSUER = 'countersign';
const AUDIENCE = 'countersign-people';

interface Session {
  readonly tenant: string;
  readonly person: string;
  /** In the domain's time, because deadlines of sign-ins are. */
  readonly signedInAt: Instant;
  readonly session: string;
}

export interface Sessions {
  issue(who: Omit<Session, 'session'>): Promise<string>;
  /** Null for a token that is not ours, was altered, or has expired. */
  read(token: string): Promise<Session | null>;
  /** What a form must carry to be taken for this sign-in's own. */
  formToken(session: string): string;
  isFormToken(session: string, token: string): boolean;
}

/** `seed` is a private key that every API process of this installation has; the session's secrets are derived from it. */
export function createSessions(seed: Uint8Array, now: () => Date = () => new Date()): Sessions {
  const derive = (label: string): Uint8Array => new Uint8Array(hkdfSync('sha256', seed, new Uint8Array(0), `countersign ${label} v1`, 32));
  const secret = derive('session');
  const formSecret = derive('form');
  const formToken = (session: string): string => createHmac('sha256', formSecret).update(session).digest('base64url');
  return {
    issue: ({ tenant, person, signedInAt }) =>
      new SignJWT({ tenant, signed_in_at: signedInAt })
        .setProtectedHeader({ alg: 'HS256', typ: 'countersign-session+jwt' })
        .setSubject(person)
        .setIssuer(ISSUER)
        .setAudience(AUDIENCE)
        .setJti(randomUUID())
        .setIssuedAt(now())
        .setExpirationTime(new Date(now().getTime() + SESSION_SECONDS * 1000))
        .sign(secret),
    async read(token) {
      try {
        const { payload } = await jwtVerify(token, secret, {
          algorithms: ['HS256'],
          typ: 'countersign-session+jwt',
          issuer: ISSUER,
          audience: AUDIENCE,
          currentDate: now(),
          requiredClaims: ['sub', 'jti', 'exp'],
        });
        const { sub, jti, tenant, signed_in_at: signedInAt } = payload;
        if (!sub || !jti || typeof tenant !== 'string' || typeof signedInAt !== 'string') return null;
        return { tenant, person: sub, signedInAt, session: jti };
      } catch {
        // Whatever is wrong with it, it proves nobody's identity; the caller says one sentence for all of them.
        return null;
      }
    },
    formToken,
    isFormToken(session, token) {
      const wanted = Buffer.from(formToken(session));
      const given = Buffer.from(token);
      return wanted.length === given.length && timingSafeEqual(wanted, given);
    },
  };
}
