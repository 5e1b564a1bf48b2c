/** What stands on the terminal once everything runs. Pure: text from what is known. */
import type { Person } from '../../domain/directory';
import { AGENT, TENANT, type Seeded } from './seed';

export interface Places {
  readonly apiUrl: string;
  readonly temporalAddress: string;
  readonly temporalUiUrl: string | null;
  readonly mailUrl: string | null;
  readonly home: string;
  readonly agentFile: string;
  readonly joinFile: string;
  readonly seeded: Seeded;
}

export function greeting(places: Places): string {
  const { seeded, apiUrl, agentFile } = places;
  const { policy } = seeded;
  const first = seeded.people[0];
  const lines = [
    '',
    'Countersign runs.',
    '',
    line('API', `${apiUrl}  (its document: ${apiUrl}/openapi.json)`),
    line(
      'Temporal UI',
      places.temporalUiUrl === null ? `at the server you named, ${places.temporalAddress}` : `${places.temporalUiUrl}/namespaces/default/workflows`,
    ),
    line('Mail', places.mailUrl === null ? 'sent through the SMTP_URL you named' : `${places.mailUrl}  (every mail; none leaves this machine)`),
    line(
      'Policy',
      `${policy.name} ${policy.version}, ${policy.hash.slice(0, 12)}, tenant ${TENANT}${seeded.sampleDiffers ? '; differs from examples/finance/policy, which was published first' : ''}`,
    ),
    line('Agent', `${AGENT}, key ${seeded.newAgentKey ?? 'shown at the first start'}  (kept with its callback secret in ${agentFile})`),
    line('Data', places.home),
    '',
    `People (development login, no password: POST ${apiUrl}/v1/dev/login):`,
    ...table(seeded.people),
    '',
    'Try next, in another terminal:',
    `  set -a; . ${places.joinFile}; . ${agentFile}; set +a; alias countersign='node client/cli/bin.cjs'`,
    '  countersign request examples/finance/request.json     as the agent',
    ...(first === undefined ? [] : [`  countersign login ${first.id}; countersign list --mine     as a person; or open the link in the mail`]),
    '  npm run demo     finance, unattended: silence, a yes and a no, with time running faster',
    '',
    'Ctrl-C stops everything; the next npm start goes on where this one ended.',
    '',
  ];
  return lines.join('\n');
}

const line = (what: string, where: string): string => `  ${what.padEnd(12)} ${where}`;

function table(people: readonly Person[]): string[] {
  const width = Math.max(0, ...people.map((person) => person.id.length));
  return people.map((person) => `  ${person.id.padEnd(width)}  ${person.name}: ${person.roles.join(', ')}`);
}
