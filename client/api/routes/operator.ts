/**
 * What operators look at and switch beside single approvals: what does not get on by itself, and whether requests are taken at all.
 * Moves of operators on one approval (give it to somebody, extend, override, break the glass, try a delivery again) go by the route of
 * moves like those of anybody else.
 */
import { z } from 'zod';
import { intakeOf } from '../../../activities/intake';
import { personOf } from '../../../domain/directory';
import { databaseTime } from '../../../record/store/database';
import { theOperator, theTenantsOperator, thePerson, type App, type Context } from '../app';
import { pageOf } from '../present';
import { IntakeMovedSchema, IntakeMoveSchema, IntakeSchema, problems, StuckSchema } from '../schemas';
import { readStuck } from '../stuck';

const session = [{ session: [] }];

export function operatorRoutes(app: App, { deps }: Context): void {
  const { db, clock, intake, publicUrl } = deps;

  const domainNow = async (): Promise<string> => clock.now({ database: await databaseTime(db), workflowTime: null });

  app.get(
    '/v1/operator/stuck',
    {
      config: { who: 'person' },
      schema: {
        operationId: 'listStuck',
        summary: 'What does not get on by itself, of what you operate',
        tags: ['operators'],
        security: session,
        querystring: z.object({ limit: z.coerce.number().int().min(1).max(200).default(50).describe('How many of each kind are named') }),
        response: { 200: StuckSchema, ...problems },
      },
    },
    async (request) => {
      const viewer = thePerson(request);
      const name = (id: string): string => personOf(viewer.directory, id)?.name ?? id;
      const { items, found } = await readStuck(db, viewer, { now: await domainNow(), scale: clock.scale, name, limit: request.query.limit });
      return {
        items: items.map(({ kind, approvalId, headline, state, why, since, owner, owedId }) => ({
          kind,
          approval_id: approvalId,
          headline,
          state,
          why,
          since,
          owner,
          owed_id: owedId,
          page: pageOf(publicUrl, approvalId),
        })),
        found,
      };
    },
  );

  app.get(
    '/v1/operator/intake',
    {
      config: { who: 'operator' },
      schema: {
        operationId: 'getIntake',
        summary: 'Which requests are not taken now',
        tags: ['operators'],
        security: session,
        response: { 200: IntakeSchema, ...problems },
      },
    },
    async (request) => ({ paused: [...(await intakeOf(db, theOperator(request).tenant))] }),
  );

  app.post(
    '/v1/operator/intake',
    {
      config: { who: 'person' },
      schema: {
        operationId: 'switchIntake',
        summary: 'Take no requests of an agent, a lane or the tenant until somebody resumes',
        tags: ['operators'],
        security: session,
        body: IntakeMoveSchema,
        response: { 200: IntakeMovedSchema, ...problems },
      },
    },
    async (request) => {
      const { tenant, person } = theTenantsOperator(request);
      const { action, scope, name, reason, open } = request.body;
      const input = { tenant, scope, name, reason, by: person.id, at: await domainNow() };
      const { seq, withdrawn } = action === 'pause' ? await intake.pause({ ...input, open }) : { ...(await intake.resume(input)), withdrawn: 0 };
      return { seq, withdrawn, paused: [...(await intakeOf(db, tenant))] };
    },
  );
}
