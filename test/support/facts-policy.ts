/** A policy whose facts come from others and whose roles are relative, and its people. Its providers have time: tests of limits shorten it. */
export const FACTS_POLICY = `
name: accounts
version: '1'
lanes:
  customer: { owner: support_lead }
  engineering: { owner: engineering_manager }
providers:
  crm: { about: customer profile, within: 10s }
  ops: { about: queues and error rates, within: 10s }
actions:
  credit.grant: { params: { account: string, amount: money } }
  service.restart: { params: {} }
  note.add: { params: { account: string } }
facts:
  customer_tier: { type: 'enum[standard, vip]', source: provider, provider: crm, required_for: [credit.grant] }
  annual_spend: { type: money, source: provider, provider: crm }
system:
  queue_depth: { type: int, provider: ops }
relative_roles:
  account_lead: { of: action.params.account, backup: support_lead }
  service_owner: { of: action.system, backup: engineering_manager }
defaults:
  tier: lightweight
  risk: medium
  urgency: soon
  meanwhile: { agent: hold_send, operator: look }
  evidence: []
  on_deny: { path: stop }
  on_timeout: { end: expire }
default: { tier: none, lane: customer, why: Nothing here is risky }
rows:
  - id: vip_credit
    when: action.type == "credit.grant" && facts.customer_tier == "vip"
    examples:
      match: [{ action: { type: credit.grant }, provided: { customer_tier: vip } }]
      no_match: [{ action: { type: credit.grant }, provided: { customer_tier: standard } }]
    lane: customer
    ladder: [{ role: account_lead, within: 30m }, { role: support_lead, within: 1h }]
  - id: big_spender
    when: action.type == "credit.grant" && facts.annual_spend >= usd(50000)
    examples:
      match: [{ action: { type: credit.grant }, provided: { annual_spend: 50000.00 USD } }]
      no_match: [{ action: { type: credit.grant }, provided: { annual_spend: 49999.99 USD } }]
    lane: customer
    tier: strong
    ladder: [{ role: account_lead, within: 30m }]
  - id: busy_queue
    when: action.type == "service.restart" && system.queue_depth > 100
    examples:
      match: [{ action: { type: service.restart }, system: { queue_depth: 101 } }]
      no_match: [{ action: { type: service.restart }, system: { queue_depth: 100 } }]
    lane: engineering
    ladder: [{ role: service_owner, within: 15m }]
`;

export const FACTS_DIRECTORY = `
people:
  tom: { name: Tom Hale, email: tom@example.com }
  ann: { name: Ann Wu, email: ann@example.com }
  uma: { name: Uma Rao, email: uma@example.com }
  lea: { name: Lea Roth, email: lea@example.com, roles: [support_lead] }
  leo: { name: Leo Falk, email: leo@example.com, roles: [support_lead] }
  eve: { name: Eve Moss, email: eve@example.com, roles: [engineering_manager] }
  rita: { name: Rita Novak, email: rita@example.com }
  omar: { name: Omar Diaz, email: omar@example.com, roles: [operator] }
duty:
  support_lead: [lea, leo]
owners:
  account_lead:
    acme-42: [tom, ann]
    umbra-7: [uma]
  service_owner:
    checkout: [ann]
`;
