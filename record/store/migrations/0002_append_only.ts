/**
 * The record cannot be rewritten, not even by the role that owns it: triggers refuse UPDATE, DELETE and TRUNCATE.
 * One exception: personal fields may be deleted by a session that has taken on the eraser role.
 */
import { sql, type Kysely, type Migration } from 'kysely';

const TABLES = ['policies', 'directories', 'requests', 'entries', 'log', 'checkpoints', 'commands', 'answers'];

const STATEMENTS = [
  `create function countersign_append_only() returns trigger language plpgsql as $$
   begin
     raise exception using errcode = 'CS001',
       message = format('The table %s is append-only: %s is refused. Add a new row instead.', tg_table_name, lower(tg_op));
   end $$`,
  `create function countersign_erase_only() returns trigger language plpgsql as $$
   begin
     if tg_op = 'DELETE' and current_user = 'countersign_eraser' then
       return old;
     end if;
     raise exception using errcode = 'CS001',
       message = format('The table %s is append-only: %s is refused. Personal fields are erased by deleting their rows as role countersign_eraser.', tg_table_name, lower(tg_op));
   end $$`,
  ...TABLES.flatMap((table) => [
    `create trigger ${table}_append_only before update or delete on ${table} for each row execute function countersign_append_only()`,
    `create trigger ${table}_no_truncate before truncate on ${table} for each statement execute function countersign_append_only()`,
  ]),
  `create trigger entry_personal_erase_only before update or delete on entry_personal for each row execute function countersign_erase_only()`,
  `create trigger entry_personal_no_truncate before truncate on entry_personal for each statement execute function countersign_erase_only()`,
];

export const appendOnly: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};
