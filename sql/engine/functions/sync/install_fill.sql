create or replace function imago.install_fill(sync imago.plan_sync, plan imago.plan)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  routine constant text := imago.build_fill(sync, plan);
begin
  execute format('create or replace trigger %I before insert on %s for each statement execute function imago_undo.%I()',
    imago.trigger_name(sync.plan, 'begin', sync.position::text), sync.relation, routine);
  execute format('create or replace trigger %I before insert on %s for each row execute function imago_undo.%I()',
    imago.trigger_name(sync.plan, 'fill', sync.position::text), sync.relation, routine);
end
$$;
comment on function imago.install_fill(imago.plan_sync, imago.plan) is 'Installs the triggers by which a sync fills a column of new rows before they are written, after all triggers of the app.';
