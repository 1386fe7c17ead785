create or replace function imago.caller_name()
returns text
language sql
stable
set search_path = ''
as $$
  select coalesce(
    'user:' || (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub'),
    'role:' || (nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role'),
    'role:' || session_user)
$$;
comment on function imago.caller_name() is 'Who makes this call: the signed-in user, the role of the key, or the role of the session.';
