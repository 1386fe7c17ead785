create or replace function imago.is_wanted(source text, throttle imago.throttle)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
  return case source
    when 'query' then throttle.throttle_query is not null
    when 'disk' then imago.setting_size('disk_mb') is not null
    when 'wal' then imago.setting_size('wal_mb_per_s') is not null
    when 'archive' then current_setting('archive_mode') <> 'off'
    when 'archiver' then current_setting('archive_mode') <> 'off'
    else true
  end;
end
$$;
comment on function imago.is_wanted(text, imago.throttle) is 'Whether there is anything to read of a source: settings, or what operators have asked for, may say no.';
