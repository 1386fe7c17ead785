create or replace function imago.missing_way(way text)
returns text
language plpgsql
stable
set search_path = ''
as $$
declare
  url text;
begin
  if way = 'driver' then
    return null;
  elsif way = 'realtime' then
    return case when pg_catalog.to_regprocedure('realtime.send(jsonb,text,text,boolean)') is null then 'the function realtime.send' end;
  elsif way <> 'net' then
    return 'a way of that name (net, driver or realtime)';
  elsif pg_catalog.to_regproc('net.http_post') is null then
    return 'the extension pg_net';
  elsif pg_catalog.to_regclass('vault.decrypted_secrets') is null then
    return 'the extension supabase_vault';
  end if;
  execute 'select s.decrypted_secret from vault.decrypted_secrets s where s.name = ''imago_notify_url''' into url;
  return case
    when url is null then 'the secret imago_notify_url in the Vault'
    when url !~ '^https://[^/]' then 'an address that begins with https:// in the secret imago_notify_url' end;
end
$$;
comment on function imago.missing_way(text) is 'What a way of telling people lacks in this database; null where it can be used.';
