/**
 * The page over HTTP. Reading never decides; a decision is a form sent by the signed-in person, from this site, naming the packet.
 * Answers with pages, also for errors.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import formbody from '@fastify/formbody';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { readAnswer } from '../../activities/commit';
import type { Instant, JsonObject } from '../../domain/json';
import { DECIDING, type MoveType } from '../../domain/moves';
import type { Conditions, Plan } from '../../domain/plan';
import { fold } from '../../domain/state';
import { databaseTime } from '../../record/store/database';
import { readEvents } from '../../record/store/entries';
import type { App, Context } from '../api/app';
import { toApiError } from '../api/errors';
import { ApiError, notFound, problemOf } from '../api/problems';
import { getApproval, listApprovals } from '../api/reads';
import { developmentLogin, setSessionCookie } from '../api/routes/session';
import { MoveSchema } from '../api/schemas';
import { SESSION_COOKIE } from '../api/sessions';
import { conditionsOf, factsOf, Unreadable } from '../api/typed';
import type { SignedIn } from '../api/visibility';
import { approvalPage } from './approval';
import { CONDITION, FACT, TEXT_FIELD } from './forms';
import type { Markup } from './html';
import { html } from './html';
import { pageOf } from './layout';
import { boundTo, personOf } from '../../domain/directory';
import { errorPage, inboxPage, loginPage, type LoginChoice } from './lists';

const INBOX_MAX = 50;
/** Where a sign-in may lead: pages of ours and nowhere else. */
const NEXT = /^\/(approvals\/[A-Za-z0-9_-]{1,200})?$/;
/** A form is a person's own words: what the record cannot keep (U+0000, half a pair) is shown as such instead of failing. */
const words = z
  .string()
  .max(10_000)
  .transform((text) => text.replaceAll('\0', '\ufffd').replace(/\p{Cs}/gu, '\ufffd'));
/** A name that is given several times, as of checkboxes, has a list. */
const Form = z.record(z.string(), z.union([words, z.array(words).max(200)]));
type Sent = Readonly<Record<string, string | readonly string[]>>;
const Command = z.string().regex(/^[A-Za-z0-9_-]{8,64}$/);

export async function pageRoutes(app: App, context: Context): Promise<void> {
  await app.register(async (page: App) => {
    await page.register(formbody);
    routes(page, context);
  });
}

function routes(app: App, { deps, identify, makeMove }: Context): void {
  const { db, sessions } = deps;
  const css = readFileSync(join(__dirname, 'page.css'), 'utf8');
  const page = { config: { who: 'page' as const }, schema: { hide: true } };

  const send = (reply: FastifyReply, status: number, title: string, viewer: SignedIn | null, body: Markup): FastifyReply =>
    reply
      .code(status)
      .type('text/html; charset=utf-8')
      .send(pageOf({ title, viewer, formToken: viewer && sessions.formToken(viewer.session), development: deps.development }, body));

  const viewerOf = async (request: FastifyRequest): Promise<SignedIn | null> => {
    const token = request.cookies[SESSION_COOKIE];
    return token === undefined ? null : await identify.session(token);
  };

  /** The signed-in person; else the answer has been sent. */
  async function signedIn(request: FastifyRequest, reply: FastifyReply): Promise<SignedIn | null> {
    const viewer = await viewerOf(request);
    if (viewer) return viewer;
    const path = request.url.split('?')[0] ?? '/';
    if (request.headers['sec-fetch-site'] === 'cross-site' && request.method === 'GET' && NEXT.test(path)) {
      // A strict cookie is not sent on the way from a mail. Asking for the same page from here sends it.
      await reply
        .type('text/html; charset=utf-8')
        .send(
          html`<!doctype html><meta charset="utf-8"><meta http-equiv="refresh" content="0"><title>Countersign</title><p><a href="${path}">Go on</a></p>`.text,
        );
      return null;
    }
    await reply.redirect(`/login?next=${encodeURIComponent(NEXT.test(path) ? path : '/')}`, 303);
    return null;
  }

  /** Forms come from our own pages: the browser says so where it can, and the token says so always. */
  function ownForm(request: FastifyRequest, viewer: SignedIn): Sent {
    const form = Form.safeParse(request.body).data ?? {};
    fromHere(request);
    if (!sessions.isFormToken(viewer.session, said(form, 'form_token')))
      throw new ApiError('forbidden', 'The form is from another sign-in; open the page again and send it from there');
    return form;
  }

  function fromHere(request: FastifyRequest): void {
    const site = request.headers['sec-fetch-site'];
    if (site !== undefined && site !== 'same-origin' && site !== 'none') throw new ApiError('forbidden', 'The form was sent from another site');
  }

  app.setErrorHandler(async (error, request, reply) => {
    const problem = problemOf(toApiError(error, request.log));
    await send(reply, problem.status, problem.title, await viewerOf(request).catch(() => null), errorPage(problem.title, problem.detail));
  });

  app.get('/assets/page.css', page, (_request, reply) => reply.type('text/css; charset=utf-8').header('cache-control', 'public, max-age=300').send(css));

  app.get('/', page, async (request, reply) => {
    const viewer = await signedIn(request, reply);
    if (!viewer) return reply;
    const [mine, all] = await Promise.all([
      listApprovals(db, viewer, { mine: true, limit: INBOX_MAX }),
      listApprovals(db, viewer, { mine: false, limit: INBOX_MAX }),
    ]);
    const others = all.items.filter((a) => !mine.items.some((m) => m.approvalId === a.approvalId));
    const directory = await deps.directoryOf(viewer.tenant);
    const name = (id: string): string => (directory && personOf(directory, id)?.name) ?? id;
    return send(reply, 200, 'Waiting on you', viewer, inboxPage(mine.items, others, await domainNow(), name));
  });

  app.get('/approvals/:id', page, async (request, reply) => {
    const viewer = await signedIn(request, reply);
    if (!viewer) return reply;
    const approval = await getApproval(db, { kind: 'person', ...viewer }, paramsOf(request).id);
    const { tenant, approvalId } = approval;
    const [entries, directory, now] = await Promise.all([readEvents(db, tenant, approvalId), deps.directoryOf(tenant), domainNow()]);
    if (!directory) throw notFound('approval');
    return send(
      reply,
      200,
      approval.headline,
      viewer,
      approvalPage({
        approval,
        entries,
        state: fold(entries),
        directory: boundTo(directory, approval.plan.relative),
        viewer,
        now,
        formToken: sessions.formToken(viewer.session),
        nonce: randomBytes(16).toString('base64url'),
        answer: await answerTo(request, tenant, viewer),
      }),
    );
  });

  /** The answer to a move of the viewer's own, named in the address after it was made. */
  async function answerTo(request: FastifyRequest, tenant: string, viewer: SignedIn) {
    const commandId = Command.safeParse((request.query as Record<string, unknown>)['command']).data;
    if (commandId === undefined) return null;
    const own = await db
      .selectFrom('commands')
      .select('approval_id')
      .where('tenant', '=', tenant)
      .where('command_id', '=', commandId)
      .where('person', '=', viewer.person.id)
      .executeTakeFirst();
    if (own?.approval_id !== paramsOf(request).id) return null;
    return (await readAnswer(db, tenant, commandId))?.answer ?? ('stored' as const);
  }

  app.post('/approvals/:id/moves', page, async (request, reply) => {
    const viewer = await signedIn(request, reply);
    if (!viewer) return reply;
    const form = ownForm(request, viewer);
    const approval = await getApproval(db, { kind: 'person', ...viewer }, paramsOf(request).id);
    const moved = await makeMove(
      viewer,
      approval,
      moveOf(form, approval.plan, await domainNow()),
      Object.hasOwn(form, 'nonce') ? said(form, 'nonce') : undefined,
    );
    return await reply.redirect(`/approvals/${encodeURIComponent(approval.approvalId)}?command=${moved.commandId}`, 303);
  });

  app.get('/login', page, async (request, reply) => {
    const next = (request.query as Record<string, unknown>)['next'];
    return send(reply, 200, 'Sign in', null, loginPage(deps.development ? await everyone() : null, typeof next === 'string' && NEXT.test(next) ? next : '/'));
  });

  app.post('/login', page, async (request, reply) => {
    if (!deps.development) throw notFound('page');
    fromHere(request);
    const form = Form.safeParse(request.body).data ?? {};
    const { token } = await developmentLogin(deps, said(form, 'person'), Object.hasOwn(form, 'tenant') ? said(form, 'tenant') : undefined);
    const next = Object.hasOwn(form, 'next') ? said(form, 'next') : '/';
    return await setSessionCookie(reply, deps, token).redirect(NEXT.test(next) ? next : '/', 303);
  });

  app.post('/logout', page, async (request, reply) => {
    const viewer = await viewerOf(request);
    if (viewer) ownForm(request, viewer);
    return await reply.clearCookie(SESSION_COOKIE, { path: '/' }).redirect('/login', 303);
  });

  const domainNow = async (): Promise<string> => deps.clock.now({ database: await databaseTime(db), workflowTime: null });

  async function everyone(): Promise<LoginChoice[]> {
    const tenants = await db.selectFrom('active').select('tenant').orderBy('tenant').execute();
    const all = await Promise.all(
      tenants.map(async ({ tenant }) => Object.values((await deps.directoryOf(tenant))?.people ?? {}).map((person) => ({ tenant, person }))),
    );
    return all.flat();
  }
}

const paramsOf = (request: FastifyRequest): { readonly id: string } => z.object({ id: z.string().max(200) }).parse(request.params);

/** The one text of a field; empty where it is not there, or there several times. */
function said(form: Sent, name: string): string {
  const value = Object.hasOwn(form, name) ? form[name] : undefined;
  return typeof value === 'string' ? value : '';
}

/** What else a form says of a move: by the name of its field, as it is. */
const BESIDE: { readonly [T in MoveType]?: readonly string[] } = {
  ask: ['of', 'sign_off'],
  reply: ['question'],
  reassign: ['to', 'sign_off'],
  extend: ['minutes', 'sign_off'],
  override: ['decision', 'because'],
  update: ['status', 'next_update_at'],
  reopen_delivery: ['owed_id'],
};

/** What such a field says; nothing where it was left empty. */
function beside(form: Sent, name: string): Record<string, string | number> {
  const value = said(form, name).trim();
  if (value === '') return {};
  if (name === 'minutes') return { [name]: Number(value) };
  // A browser gives minutes without a zone; the page says that they are UTC.
  return { [name]: name === 'next_update_at' && /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}$/.test(value) ? `${value}:00.000Z` : value };
}

/** The move that a form names: the same schema as the API's, from the same fields. */
function moveOf(form: Sent, plan: Plan, now: Instant) {
  const type = said(form, 'type') as MoveType;
  const field = Object.hasOwn(TEXT_FIELD, type) ? TEXT_FIELD[type] : null;
  const move = {
    type,
    ...(field === null ? {} : { [field]: said(form, field) }),
    ...Object.fromEntries((Object.hasOwn(BESIDE, type) ? (BESIDE[type] ?? []) : []).flatMap((name) => Object.entries(beside(form, name)))),
    ...(type === 'answer' ? { facts: factsIn(form, plan) } : {}),
    ...conditionsIn(form, type, plan, now),
    ...(DECIDING.includes(type) ? { packet_digest: said(form, 'packet_digest') } : {}),
  };
  const parsed = MoveSchema.safeParse(move);
  if (!parsed.success) throw new ApiError('invalid_request', 'The form does not hold a move; open the page again and send it from there');
  return parsed.data;
}

/** The fields whose names begin so, without that beginning. */
const under = (form: Sent, beginning: string): [string, string | readonly string[]][] =>
  Object.entries(form).flatMap(([name, value]) => (name.startsWith(beginning) ? [[name.slice(beginning.length), value]] : []));

/** Of the recipients the form says the places in the list; all of them is no condition, and none of them is left to be refused. */
function conditionsIn(form: Sent, type: string, { offers }: Plan, now: Instant): { readonly conditions?: Conditions } {
  if (type !== 'approve' || !offers) return {};
  const typed = Object.fromEntries(under(form, CONDITION));
  const { only_recipients: ticked = [], ...others } = typed;
  const places = typeof ticked === 'string' ? [ticked] : ticked;
  const { of = [] } = offers.onlyRecipients ?? {};
  const chosen = of.filter((_, i) => places.includes(String(i)));
  const recipients = chosen.length === of.length ? {} : { only_recipients: chosen };
  const conditions = readable(() => conditionsOf({ ...others, ...recipients }, now));
  return conditions ? { conditions } : {};
}

const factsIn = (form: Sent, { asksFor = {} }: Plan): JsonObject =>
  readable(() => factsOf(asksFor, Object.fromEntries(under(form, FACT).map(([name, value]) => [name, typeof value === 'string' ? value : value.join('\n')]))));

function readable<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof Unreadable) throw new ApiError('invalid_request', `${error.message}; go back and correct it: nothing was sent`);
    throw error;
  }
}
