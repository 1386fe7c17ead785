create or replace function imago.create_keeper(write imago.plan_write, kind text, declarations text, body text, said text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  routine constant text := write.undo_table || '_' || kind;
  partitioned constant boolean := (select c.relkind = 'p' from pg_catalog.pg_class c where c.oid = write.relation::pg_catalog.regclass);
begin
  -- Security definer would cost more than the body, and is needed on a partitioned table only, where writes straight to a partition
  -- pass by the guard.
  execute format(
    'create or replace function imago_undo.%I()
     returns trigger
     language plpgsql
     volatile
     %s
     set search_path = ''''
     as %L',
    routine,
    case when partitioned then 'security definer' else 'security invoker' end,
    format('%s begin %s %s return new; end',
      declarations, case when partitioned then format('if not imago.is_batch_open(%L) then return new; end if;', write.plan) else '' end, body));
  execute format('comment on function imago_undo.%I() is %L', routine, 'Trigger function: ' || said);
  execute format('revoke all on function imago_undo.%I() from public', routine);
end
$$;
comment on function imago.create_keeper(imago.plan_write, text, text, text, text) is 'Creates a trigger function that has the last word on each row that a batch of a plan updates.';
