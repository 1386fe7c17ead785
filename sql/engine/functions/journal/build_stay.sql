create or replace function imago.build_stay(write imago.plan_write)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  partitioned boolean := (select c.relkind = 'p' from pg_catalog.pg_class c where c.oid = write.relation::pg_catalog.regclass);
begin
  -- Writes straight to a partition pass by the guard.
  execute format(
    'create or replace function imago_undo.%I()
     returns trigger
     language plpgsql
     volatile
     %s
     set search_path = ''''
     as %L',
    write.undo_table || '_stay',
    case when partitioned then 'security definer' else 'security invoker' end,
    format('begin %s%s return new; end',
      case when partitioned then format('if not imago.is_batch_open(%L) then return new; end if; ', write.plan) else '' end,
      imago.stay_assignments(write)));
  execute format('comment on function imago_undo.%I() is %L', write.undo_table || '_stay',
    format('Trigger function: in batches of plan %s, leaves updated_at-like columns of %s as they are.', write.plan, write.relation));
  execute format('revoke all on function imago_undo.%I() from public', write.undo_table || '_stay');
end
$$;
comment on function imago.build_stay(imago.plan_write) is 'Generates the trigger function that has the last word on a row on the way there. Batches leave updated_at-like columns as they are.';
