create or replace function imago.installation()
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'version', imago.setting_number('engine_version'),
    'server_version', current_setting('server_version'),
    'plans', (select coalesce(jsonb_agg(p.name order by p.name), '[]') from imago.plan p),
    'schemas', imago.installed_schemas(),
    'functions', imago.installed_functions(),
    'relations', imago.installed_relations(),
    'triggers', imago.installed_triggers(),
    'undo', imago.installed_undo(),
    'cron', imago.installed_jobs(),
    'governor', imago.installed_governor(),
    'notices', imago.installed_notices())
$$;
comment on function imago.installation() is 'What is installed, for the doctor: functions, tables, triggers, undo tables and jobs, each with its owner and state.';
