create or replace function imago.post_notice(notice imago.notice)
returns bigint
language plpgsql
volatile
set search_path = ''
as $$
declare
  url text;
  body constant jsonb := imago.notice_json(notice);
  request bigint;
begin
  execute 'select s.decrypted_secret from vault.decrypted_secrets s where s.name = ''imago_notify_url''' into strict url;
  if url !~ '^https://' then
    raise exception using errcode = '08P01', message = 'a webhook that is not TLS';
  end if;
  execute 'select net.http_post(url => $1, body => $2, headers => $3, timeout_milliseconds => 10000)'
  into request
  using url, case when url like 'https://hooks.slack.com/%' then jsonb_build_object('text', body -> 'text') else body end,
    jsonb_build_object('content-type', 'application/json');
  return request;
end
$$;
comment on function imago.post_notice(imago.notice) is 'Hands a notice to pg_net, which sends it once this transaction is committed. The address is a secret of the Vault, imago_notify_url.';
