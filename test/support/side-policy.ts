/**
 * The finance desk with two rows more: one that two lanes sign at the same time, and one whose silence stops the agent and its credential.
 */
import { DESK_POLICY } from './desk-policy';

export const SIDE_POLICY = `${DESK_POLICY.replace('actions:\n', 'actions:\n  config.change: { params: {} }\n  access.widen: { params: {} }\n')}
  - id: config
    when: action.type == "config.change"
    examples:
      match: [{ action: { type: config.change } }]
      no_match: [{ action: { type: banner.change } }]
    lane: finance
    order: parallel
    sign_offs:
      - role: finance_manager
        ladder:
          - { name: finance manager, role: finance_manager, within: 30m, reminders: [0.5] }
          - { name: CFO, role: cfo, within: 2h }
      - lane: security
        role: security_officer
        ladder: [{ name: security officer, role: security_officer, within: 1h, reminders: [0.5] }]
    on_timeout: { end: hold, hold: { role: cfo, for: 1h, then: deny } }
  - id: access
    when: action.type == "access.widen"
    examples:
      match: [{ action: { type: access.widen } }]
      no_match: [{ action: { type: banner.change } }]
    lane: security
    ladder: [{ name: security officer, role: security_officer, within: 15m }]
    on_timeout:
      end: expire
      ticket: { queue: access-review, owner: security_officer, title: Review the access by hand }
      tell_customer: { subject: Your access is under review, text: We are looking at it by hand. }
      pause_workflow: { reason: Nobody answered about access that this agent wants }
      disable_credential: { credential: crm-export, reason: Nobody answered about wider access }
`;
