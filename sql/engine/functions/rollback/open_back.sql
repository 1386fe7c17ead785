create or replace function imago.open_back(plan imago.plan, batch bigint)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- Where nothing of the app's would change other columns, or rows that come back, the keepers need not look at each row.
  perform set_config('imago.batch', format('%s:%s%s', plan.name, batch, case when exists (
    select from imago.stage_writes(plan) w
    where w.deletes and imago.has_insert_trigger(w.relation)
       or exists (select from imago.written_tables(w.relation) t where imago.has_app_trigger(t))) then ':back' end), true);
  perform set_config('imago.back', plan.name, true);
end
$$;
comment on function imago.open_back(imago.plan, bigint) is 'Tells our triggers that what follows takes entities back, in this batch.';
