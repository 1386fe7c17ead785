create or replace function public.get_engine_version()
returns jsonb
language sql
stable
security definer
set search_path = ''
as $$
  select jsonb_build_object('version', imago.setting_number('engine_version'))
$$;
comment on function public.get_engine_version() is 'Imago: the version of the engine. Commands and edge functions ask for it and refuse one that is newer than they know. Changes nothing.';
