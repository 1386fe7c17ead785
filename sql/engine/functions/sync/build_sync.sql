create or replace function imago.build_sync(sync imago.plan_sync, plan imago.plan, ending text)
returns text
language plpgsql
volatile
set search_path = ''
as $$
declare
  routine text := imago.sync_function(sync.plan, sync.position);
begin
  execute format(
    'create or replace function imago_undo.%I()
     returns trigger
     language plpgsql
     volatile
     security definer
     set search_path = ''''
     set lock_timeout = %L
     %s
     set enable_seqscan = off
     set jit = off
     as %L',
    routine, imago.setting_number('lock_timeout_ms') || 'ms', imago.fixed_formats(), imago.sync_body(sync, plan, ending));
  execute format('comment on function imago_undo.%I() is %L', routine, format('Sync of plan %s: %s.', sync.plan, sync.name));
  execute format('revoke all on function imago_undo.%I() from public', routine);
  return routine;
end
$$;
comment on function imago.build_sync(imago.plan_sync, imago.plan, text) is 'Generates the trigger function of one sync; returns its name.';
