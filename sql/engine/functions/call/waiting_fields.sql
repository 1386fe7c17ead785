create or replace function imago.waiting_fields()
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object('has_more', true, 'reason', imago.read_only_reason(), 'retry_after_ms', imago.setting_number('read_only_wait_ms'))
$$;
comment on function imago.waiting_fields() is 'What an answer with the status waiting says besides: why, and when to call again.';
