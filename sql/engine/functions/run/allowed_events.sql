create or replace function imago.allowed_events(state text)
returns text
language sql
stable
set search_path = ''
as $$
  -- start, succeed, fail and supersede are edges too, and happen by themselves.
  select coalesce(string_agg(t.event, ', ' order by t.event), 'nothing; migrate_batch starts a new run')
  from imago.transition t
  where t.from_state = allowed_events.state and t.event in ('pause', 'resume', 'cancel', 'retry')
$$;
comment on function imago.allowed_events(text) is 'What people may ask of a run in this state, for the hint of IM008.';
