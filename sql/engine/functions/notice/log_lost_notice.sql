create or replace function imago.log_lost_notice(notice imago.notice)
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  perform imago.write_log(notice.plan, notice.run, 'warning', 'notice_given_up',
    jsonb_strip_nulls(jsonb_build_object('event', notice.event, 'way', notice.way, 'outcome', notice.outcome)));
end
$$;
comment on function imago.log_lost_notice(imago.notice) is 'Logs that a message is not tried again, and what its last try ended with.';
