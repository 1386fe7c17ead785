create or replace function imago.notice_text(notice imago.notice, direction text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  detail constant jsonb := notice.detail;
  subject constant text := format('Imago, %s, %s %s', notice.plan, case direction when 'rollback' then 'rollback' else 'migration' end, notice.run);
begin
  return case notice.event
    when 'state' then concat_ws(', ',
      format('%s: %s', subject, detail ->> 'state') || coalesce(' (' || (detail ->> 'code') || ')', ''),
      (detail ->> 'moved') || case direction when 'rollback' then ' taken back' else ' moved' end,
      nullif(detail ->> 'failed', '0') || ' set aside',
      nullif(detail ->> 'conflicts', '0') || ' conflicts')
    when 'held' then format('%s: it has been waiting for more than a minute (%s)', subject, detail ->> 'signals')
    when 'failure' then format('%s: the first entity was set aside (%s)', subject,
      concat_ws(', ', detail ->> 'kind', detail ->> 'sqlstate', detail ->> 'table', detail ->> 'constraint'))
    else 'Imago: this is a test, messages arrive'
  end;
end
$$;
comment on function imago.notice_text(imago.notice, text) is 'A notice as a line for people.';
