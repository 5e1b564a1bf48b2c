/**
 * Absences that people set: their own, and an operator those of others. From then on nobody is asked who is away, and a deputy stands in.
 * What stands in the directory's file is changed there.
 */
import { z } from 'zod';
import { createPeople } from '../../../activities/people';
import { personOf } from '../../../domain/directory';
import { instant, ms, type Instant } from '../../../domain/json';
import { thePerson, theTenantsOperator, type App, type Context } from '../app';
import { notFound } from '../problems';
import { AbsenceInputSchema, AbsenceSchema, problems } from '../schemas';
import type { SignedIn } from '../visibility';

const session = [{ session: [] }];
const PersonParams = z.object({ id: z.string().min(1).max(64) });

export function absenceRoutes(app: App, { deps }: Context): void {
  const people = createPeople(deps);

  async function shown(tenant: string, person: string): Promise<z.output<typeof AbsenceSchema>> {
    const now = await people.now();
    const directory = await deps.directoryOf(tenant);
    const absences = (directory && personOf(directory, person))?.absences.filter(({ to }) => ms(to) > ms(now)) ?? [];
    const set = await people.absenceOf(tenant, person);
    return {
      person,
      set: set && { from: set.from, to: set.to, deputy: set.deputy, set_by: set.setBy, set_at: set.setAt },
      absences: absences.map(({ from, to, deputy }) => ({ from, to, deputy: deputy ?? null })),
    };
  }

  async function put({ tenant, person: { id: by } }: SignedIn, person: string, { from, to, deputy }: z.output<typeof AbsenceInputSchema>) {
    const since: Instant = from === undefined ? await people.now() : instant(Date.parse(from));
    await people.setAbsence(tenant, by, { person, from: since, to: instant(Date.parse(to)), deputy: deputy ?? null });
    return await shown(tenant, person);
  }

  async function clear({ tenant, person: { id: by } }: SignedIn, person: string) {
    await people.clearAbsence(tenant, by, person);
    return await shown(tenant, person);
  }

  const described = (operationId: string, summary: string) => ({
    operationId,
    summary,
    tags: ['people'],
    security: session,
    response: { 200: AbsenceSchema, ...problems },
  });
  const person = { who: 'person' as const };

  app.get('/v1/me/absence', { config: person, schema: described('getMyAbsence', 'When you are away, and who stands in') }, (request) => {
    const { tenant, person: me } = thePerson(request);
    return shown(tenant, me.id);
  });
  app.put(
    '/v1/me/absence',
    { config: person, schema: { ...described('setMyAbsence', 'Be away, in place of the absence that was set before'), body: AbsenceInputSchema } },
    (request) => {
      const me = thePerson(request);
      return put(me, me.person.id, request.body);
    },
  );
  app.delete('/v1/me/absence', { config: person, schema: described('clearMyAbsence', 'Be back') }, (request) => {
    const me = thePerson(request);
    return clear(me, me.person.id);
  });

  /** Somebody of the operator's own tenant. */
  async function another(operator: SignedIn, id: string): Promise<string> {
    const directory = await deps.directoryOf(operator.tenant);
    if (!directory || !personOf(directory, id)) throw notFound('person');
    return id;
  }
  app.get(
    '/v1/people/:id/absence',
    { config: person, schema: { ...described('getAbsence', 'For operators: when somebody is away'), params: PersonParams } },
    async (request) => {
      const operator = theTenantsOperator(request);
      return await shown(operator.tenant, await another(operator, request.params.id));
    },
  );
  app.put(
    '/v1/people/:id/absence',
    { config: person, schema: { ...described('setAbsence', 'For operators: set when somebody is away'), params: PersonParams, body: AbsenceInputSchema } },
    async (request) => {
      const operator = theTenantsOperator(request);
      return await put(operator, await another(operator, request.params.id), request.body);
    },
  );
  app.delete(
    '/v1/people/:id/absence',
    { config: person, schema: { ...described('clearAbsence', 'For operators: somebody is back'), params: PersonParams } },
    async (request) => {
      const operator = theTenantsOperator(request);
      return await clear(operator, await another(operator, request.params.id));
    },
  );
}
