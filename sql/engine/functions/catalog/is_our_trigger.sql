create or replace function imago.is_our_trigger(trigger_name name)
returns boolean
language sql
immutable
set search_path = ''
as $$
  select trigger_name ~ '^[!~]imago_'
$$;
comment on function imago.is_our_trigger(name) is 'Whether a trigger is one of ours, or of a step of a plan, by its name.';
