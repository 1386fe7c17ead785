create or replace function imago.set_notify(ways text)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
  wanted text[];
  way text;
  missing text;
begin
  if ways is not null then
    perform imago.expect_writable();
    select coalesce(array_agg(distinct w), '{}') into wanted
    from (select btrim(u) as w from unnest(string_to_array(ways, ',')) u) t where w <> '';
    foreach way in array wanted loop
      missing := imago.missing_way(way);
      if missing is not null then
        perform imago.raise_error('IM081', way, missing);
      end if;
    end loop;
    update imago.setting s set value = array_to_string(wanted, ',') where s.name = 'notify';
    delete from imago.notice n where n.event = 'test' or n.given_up_at is not null or n.sent_at is null and n.way <> all (wanted);
    insert into imago.notice (event, way) select 'test', w from unnest(wanted) w;
    perform imago.send_notices();
  end if;
  return (
    select jsonb_build_object(
      'ways', imago.notify_ways(),
      'waiting', count(*) filter (where n.sent_at is null and n.given_up_at is null),
      'given_up', count(*) filter (where n.given_up_at is not null),
      'sent', count(*) filter (where n.sent_at is not null),
      'last_sent_at', max(n.sent_at),
      'outcome', (array_agg(n.outcome order by n.id desc) filter (where n.outcome is not null))[1])
    from imago.notice n);
end
$$;
comment on function imago.set_notify(text) is 'Sets how people are told, tries each way once, and says what became of the last notices.';
