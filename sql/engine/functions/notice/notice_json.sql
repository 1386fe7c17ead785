create or replace function imago.notice_json(notice imago.notice)
returns jsonb
language plpgsql
stable
set search_path = ''
as $$
declare
  run imago.run;
begin
  select r.* into run from imago.run r where r.id = notice.run;
  return jsonb_strip_nulls(jsonb_build_object(
    'id', notice.id, 'event', notice.event, 'plan', notice.plan, 'run', notice.run, 'direction', run.direction,
    'at', notice.created_at, 'text', imago.notice_text(notice, run.direction))) || notice.detail;
end
$$;
comment on function imago.notice_json(imago.notice) is 'What is sent of a notice: what happened to which run, codes and counts, and a text for people.';
