create or replace function imago.build_fill(sync imago.plan_sync, plan imago.plan)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  routine constant text := imago.fill_function(sync.plan, sync.position);
begin
  execute format(
    'create or replace function imago_undo.%I()
     returns trigger
     language plpgsql
     volatile
     security definer
     set search_path = ''''
     as %L',
    routine, imago.fill_body(sync, imago.filled_from(sync, plan)));
  execute format('comment on function imago_undo.%I() is %L', routine,
    format('Trigger function: fills %s of new rows for the sync of plan %s: %s.', sync.fills, sync.plan, sync.name));
  execute format('revoke all on function imago_undo.%I() from public', routine);
  return routine;
end
$$;
comment on function imago.build_fill(imago.plan_sync, imago.plan) is 'Generates the trigger function that fills a column of new rows for a sync; returns its name.';
