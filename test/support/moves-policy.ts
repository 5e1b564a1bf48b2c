/**
 * The desk with everything that people, agents and operators can do: questions that stop the clock, takeovers with updates, operators who
 * extend, override by two and break the glass.
 */
import { API_DIRECTORY } from './api';
import { DESK_POLICY } from './desk-policy';

const OPERATORS = `operators:
  roles: [operator]
  extend_at_most: 2h
  override: { roles: [risk_officer], may: [approve, deny], reasons: { outage: The usual approvers cannot be reached }, second_person: true }
  break_glass: { roles: [incident_lead], review: { queue: reviews, owner: cfo, title: Why the glass was broken } }
`;

export const MOVES_POLICY = DESK_POLICY.replace('  cfo: { up_to: unlimited }\n', '  cfo: { up_to: unlimited }\n  risk_officer: { up_to: unlimited }\n')
  .replace('defaults:\n', `${OPERATORS}defaults:\n  questions: { clock: pauses, within: 4h, at_most: 5 }\n`)
  .replace('  takeover_within: 4h\n', '  takeover_within: 4h\n  takeover_at_most: 8h\n');

/** The desk's people, an auditor, two who override, one who breaks the glass, and one whom no policy asks. */
export const MOVES_DIRECTORY = API_DIRECTORY.replace(
  'duty:\n',
  `  rob: { name: Rob Hale, email: rob@example.com, roles: [risk_officer] }
  rae: { name: Rae Moss, email: rae@example.com, roles: [risk_officer] }
  ida: { name: Ida Krog, email: ida@example.com, roles: [incident_lead] }
  mia: { name: Mia Frost, email: mia@example.com, roles: [warehouse] }
duty:
`,
);
