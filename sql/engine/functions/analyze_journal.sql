create or replace function imago.analyze_journal(plan_name text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  undo text;
begin
  for undo in select w.undo_table from imago.plan_write w where w.plan = plan_name and w.undo_table is not null loop
    execute format('analyze imago_undo.%I', undo);
  end loop;
end
$$;
comment on function imago.analyze_journal(text) is 'Statistics for the journal before it is read at large: it may have been empty when autovacuum last looked.';
