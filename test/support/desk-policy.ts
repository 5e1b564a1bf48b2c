/**
 * A policy and a directory that show every end of a ladder, for the workflow tests: a finance desk whose fallback is the CFO.
 */
export const DESK_POLICY = `
name: desk
version: '1'
lanes:
  manager: { owner: manager }
  finance: { owner: finance_manager }
  security: { owner: security_officer }
  customer: { owner: support_lead }
authority:
  finance_manager: { up_to: 1000.00 USD }
  cfo: { up_to: unlimited }
actions:
  refund.issue: { params: { amount: money, order: string } }
  invoice.pay: { params: { amount: money, invoice: string } }
  export.send: { params: { rows: int } }
  talk.transfer: { params: {} }
  banner.change: { params: {} }
  secret.reveal: { params: {} }
  gift.send: { params: { amount: money, recipients: list<string> } }
  draft.send: { params: {} }
defaults:
  tier: lightweight
  risk: medium
  urgency: soon
  meanwhile: { agent: freeze_decision, operator: look at the queue }
  evidence: []
  on_deny: { path: log the reason and end the run, tell_requester: true }
  on_timeout: { end: expire }
  takeover_within: 4h
default: { tier: none, lane: manager, why: Nothing here is risky }
rows:
  - id: refund_over_250
    when: action.type == "refund.issue" && action.params.amount > usd(250)
    examples:
      match: [{ action: { type: refund.issue, params: { amount: { minor: 25001, currency: USD }, order: o1 } } }]
      no_match: [{ action: { type: refund.issue, params: { amount: { minor: 25000, currency: USD }, order: o1 } } }]
    lane: finance
    amount: action.params.amount
    provision: Refunds over USD 250.00 are signed by finance.
    sign_offs:
      - role: finance_manager
        ladder:
          - { name: finance manager, role: finance_manager, within: 30m, reminders: [0.5] }
          - { name: CFO, role: cfo, within: 2h }
      - role: cfo
        only: above_authority
        ladder: [{ name: CFO, role: cfo, within: 2h }]
    on_timeout:
      end: expire
      ticket: { queue: finance-review, owner: finance_manager, title: Review the refund by hand }
      tell_customer: { subject: Your case is under review, text: We are looking at your case by hand. }
  - id: invoice
    when: action.type == "invoice.pay"
    examples:
      match: [{ action: { type: invoice.pay, params: { amount: { minor: 1, currency: USD }, invoice: i1 } } }]
      no_match: [{ action: { type: banner.change } }]
    lane: finance
    evidence: [invoice]
    ladder: [{ name: finance manager, role: finance_manager, within: 1h }]
    on_timeout: { end: hold, hold: { role: cfo, for: 4h, then: deny } }
  - id: export
    when: action.type == "export.send"
    examples:
      match: [{ action: { type: export.send, params: { rows: 1 } } }]
      no_match: [{ action: { type: banner.change } }]
    lane: security
    tier: dual
    ladder: [{ name: security, role: security_officer, within: 1h }]
    on_timeout: { end: safe_alternative, alternative: { type: export.send, params: { rows: 0 }, summary: send an empty export } }
  - id: transfer
    when: action.type == "talk.transfer"
    examples:
      match: [{ action: { type: talk.transfer } }]
      no_match: [{ action: { type: banner.change } }]
    kind: escalation
    lane: customer
    ladder: [{ name: support lead, role: support_lead, within: 15m }]
  - id: gift
    when: action.type == "gift.send"
    examples:
      match: [{ action: { type: gift.send, params: { amount: 1.00 USD, recipients: [a] } } }]
      no_match: [{ action: { type: banner.change } }]
    lane: finance
    sign_offs:
      - ladder: [{ name: finance manager, role: finance_manager, within: 1h }]
      - { lane: customer, ladder: [{ name: support lead, role: support_lead, within: 1h }] }
    offers:
      amount_at_most: { param: amount, at_most: 250.00 USD }
      only_recipients: { param: recipients }
      expires_within: 24h
      options: { voucher: As vouchers, cash: As money }
  - id: draft
    when: action.type == "draft.send"
    examples:
      match: [{ action: { type: draft.send } }]
      no_match: [{ action: { type: banner.change } }]
    kind: escalation
    lane: customer
    ladder: [{ name: support lead, role: support_lead, within: 15m }]
    asks_for: { order_total: money, intent: 'enum[refund, exchange]', note: string? }
  - id: never
    when: action.type == "secret.reveal"
    examples:
      match: [{ action: { type: secret.reveal } }]
      no_match: [{ action: { type: banner.change } }]
    lane: security
    effect: block
    why: Secrets are never revealed
`;

export const DESK_DIRECTORY = `
people:
  fay: { name: Fay Okafor, email: fay@example.com, roles: [finance_manager] }
  finn: { name: Finn Berg, email: finn@example.com, roles: [finance_manager] }
  cleo: { name: Cleo Marsh, email: cleo@example.com, roles: [cfo] }
  carl: { name: Carl Weiss, email: carl@example.com, roles: [cfo] }
  sam: { name: Sam Ito, email: sam@example.com, roles: [security_officer] }
  sue: { name: Sue Lind, email: sue@example.com, roles: [security_officer] }
  lea: { name: Lea Roth, email: lea@example.com, roles: [support_lead] }
  rita: { name: Rita Novak, email: rita@example.com, roles: [finance_manager] }
  omar: { name: Omar Diaz, email: omar@example.com, roles: [operator] }
duty:
  finance_manager: [fay, finn]
  cfo: [cleo, carl]
  security_officer: [sam, sue]
  support_lead: [lea]
`;
