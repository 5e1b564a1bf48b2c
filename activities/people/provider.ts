/**
 * By which id Countersign knows somebody whom an identity provider sends, and whether their address is free.
 * Promises: an id, once given, stays with that person through every change of name, and is never given to another, also when the first was
 * deleted: the record names people by it. Who stands in the file under the same address is the same person.
 */
import type { Trx } from '../../record/store/database';
import { personsEver, providedBy } from '../../record/store/scim';
import { documentOf } from './sources';

const ID_MAX = 60;

/** Names that mean something else: an agent and the engine where somebody is named on the record, and what every object has. */
const RESERVED: readonly string[] = ['', 'constructor', 'prototype', 'agent', 'engine'];

/** `Ana.Ruiz@acme.example` begins as `ana.ruiz`. */
export function idFrom(userName: string): string {
  const local = (userName.split('@')[0] ?? '')
    .normalize('NFKD')
    .toLowerCase()
    .replaceAll(/[\u0300-\u036f]/g, '')
    .replaceAll(/[^a-z0-9_.-]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, ID_MAX);
  return RESERVED.includes(local) ? 'person' : local;
}

export async function personIdFor(trx: Trx, tenant: string, { userName, email }: { readonly userName: string; readonly email: string }): Promise<string> {
  const ever = await personsEver(trx, tenant);
  const inFile = Object.entries((await documentOf(trx, tenant))?.document.people ?? {});
  const same = inFile.find(([id, person]) => person.email.toLowerCase() === email.toLowerCase() && !ever.has(id));
  if (same) return same[0];
  const taken = new Set([...ever.keys(), ...inFile.map(([id]) => id)]);
  const base = idFrom(userName);
  let id = base;
  for (let n = 2; taken.has(id); n += 1) id = `${base}-${String(n)}`;
  return id;
}

/** Who else has this address; null: nobody. Two sign-offs are two people, and so two inboxes. */
export async function whoHasAddress(trx: Trx, tenant: string, email: string, except: string | null): Promise<string | null> {
  const { users } = await providedBy(trx, tenant);
  const ever = await personsEver(trx, tenant);
  const inFile = Object.entries((await documentOf(trx, tenant))?.document.people ?? {}).flatMap(([person, known]) =>
    ever.has(person) ? [] : [{ person, email: known.email }],
  );
  return [...users, ...inFile].find((known) => known.person !== except && known.email.toLowerCase() === email.toLowerCase())?.person ?? null;
}
