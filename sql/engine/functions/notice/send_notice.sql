create or replace function imago.send_notice(notice imago.notice)
returns void
language plpgsql
volatile
set search_path = ''
as $$
declare
  -- 30 seconds, then twice as long each time, for about an hour in all.
  most_attempts constant integer := 7;
  answer text;
  asked bigint;
begin
  if notice.way = 'net' and notice.request is not null then
    answer := imago.notice_outcome(notice.request);
    if answer is null and notice.created_at > clock_timestamp() - interval '5 minutes' then
      update imago.notice n set due_at = clock_timestamp() + interval '30 seconds' where n.id = notice.id;
      return;
    elsif answer ~ '^2\d\d$' then
      update imago.notice n set sent_at = clock_timestamp(), outcome = answer where n.id = notice.id;
      return;
    end if;
  end if;
  if notice.attempts >= most_attempts then
    update imago.notice n set given_up_at = clock_timestamp(), outcome = coalesce(answer, n.outcome) where n.id = notice.id
    returning n.* into notice;
    perform imago.log_lost_notice(notice);
    return;
  end if;
  begin
    if notice.way = 'net' then
      asked := imago.post_notice(notice);
    else
      execute 'select realtime.send($1, $2, $3, true)' using imago.notice_json(notice), notice.event, 'imago:' || coalesce(notice.plan, 'test');
    end if;
  exception when others or assert_failure then
    answer := sqlstate;
  end;
  update imago.notice n set
    attempts = n.attempts + 1,
    request = asked,
    outcome = coalesce(answer, n.outcome),
    sent_at = case when notice.way = 'realtime' and answer is null then clock_timestamp() end,
    due_at = clock_timestamp() + interval '30 seconds' * 2 ^ n.attempts
  where n.id = notice.id;
end
$$;
comment on function imago.send_notice(imago.notice) is 'One try of one notice. What pg_net was given counts as sent once the other side has answered 2xx; else it is given again, and at last given up.';
