/**
 * Which entries wait for their place in the log, so that the sequencer looks at what is new and not at all there is.
 * Promises: whoever adds an entry, an older release too, adds it here in the same statement; a row goes when its entry has its place, and
 * the database refuses it before, to everyone. What waited when this ran waits here.
 */
import { sql, type Kysely, type Migration } from 'kysely';

const STATEMENTS = [
  // Rows come and go all the time: what is left of them is cleared away early.
  `create table unplaced (
     tenant text not null, approval_id text not null, seq integer not null, id bigint not null, primary key (tenant, approval_id, seq))
   with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000)`,
  `create index unplaced_in_order on unplaced (tenant, id)`,
  // As its owner: the application adds no rows here by itself, and no table of a session's own can stand in for these.
  `create function countersign_unplaced() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
   begin
     insert into unplaced (tenant, approval_id, seq, id) select tenant, approval_id, seq, id from added on conflict do nothing;
     return null;
   end $$`,
  `create function countersign_placed_only() returns trigger language plpgsql as $$
   begin
     if tg_op = 'DELETE' and exists (select 1 from public.log where tenant = old.tenant and approval_id = old.approval_id and seq = old.seq) then
       return old;
     end if;
     raise exception using errcode = 'CS001',
       message = format('The table %s is cleared by the sequencer alone: %s is refused while an entry has no place in the log.', tg_table_name, lower(tg_op));
   end $$`,
  // Waits for whoever adds an entry just now, and lets nobody add one until this is done: none is missed between trigger and filling.
  `create trigger entries_unplaced after insert on entries referencing new table as added for each statement execute function countersign_unplaced()`,
  `insert into unplaced (tenant, approval_id, seq, id)
     select e.tenant, e.approval_id, e.seq, e.id from entries e
     where not exists (select 1 from log l where l.tenant = e.tenant and l.approval_id = e.approval_id and l.seq = e.seq)`,
  `create trigger unplaced_placed_only before update or delete on unplaced for each row execute function countersign_placed_only()`,
  `create trigger unplaced_no_truncate before truncate on unplaced for each statement execute function countersign_placed_only()`,
];

export const unplaced: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    for (const statement of STATEMENTS) await sql.raw(statement).execute(db);
  },
};
