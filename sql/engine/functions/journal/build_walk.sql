create or replace function imago.build_walk(plan_name text, stage integer, relation text)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  routine text := imago.walk_function(plan_name, stage);
begin
  execute format(
    'create or replace function imago_undo.%I()
     returns trigger
     language plpgsql
     volatile
     security definer
     set search_path = ''''
     %s
     as %L',
    routine, imago.fixed_formats(), format(
      'declare
         imago_moved boolean;
         imago_moves jsonb;
         imago_relation text;
         imago_identity imago.identity;
         imago_context text;
       begin
         %s
         return null;
       end', imago.watch_identity(plan_name, relation)));
  execute format('comment on function imago_undo.%I() is %L', routine,
    format('Trigger function: has the journal of plan %s follow keys of %s that the app changes.', plan_name, relation));
  execute format('revoke all on function imago_undo.%I() from public', routine);
end
$$;
comment on function imago.build_walk(text, integer, text) is 'Generates the trigger function of a table that a plan walks and does not write.';
